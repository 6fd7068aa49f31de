"""`kkb villages`: the Kampung KB of a region."""

from __future__ import annotations

from typing import Any

import typer

from cli.access import gateway_of
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, mark, more_than, show_json, show_table, table
from cli.words import STATUSES


def list_villages(
    ctx: typer.Context, region: Region = None, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False
) -> None:
    """Kampung KB di suatu wilayah."""
    found, more = gateway_of(ctx).items("/villages", limit, region=region)
    if as_json:
        show_json(found)
        return
    shown = table("Kode", "Desa/kelurahan", "Kecamatan", "Nama", "Pencanangan", "Status", "Sumber", "")
    for village in found:
        names = village["region_names"]
        shown.add_row(
            village["region_code"],
            names["village"],
            names["district"],
            village["name"] or "-",
            _launch(village),
            STATUSES.get(village["status"], village["status"]),
            village["source_system"],
            mark(simulated=village["simulated"]),
        )
    show_table(console(), "Kampung KB", shown)
    if more:
        console().print(more_than(len(found)))


def _launch(village: dict[str, Any]) -> str:
    """As exactly as it was reported, and no more."""
    if village["launch_date"]:
        return str(village["launch_date"])
    if village["launch_year"]:
        return str(village["launch_year"])
    return f"sesudah {village['launched_after_year']}" if village["launched_after_year"] else "-"
