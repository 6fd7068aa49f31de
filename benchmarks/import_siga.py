"""Importing nine months of SIGA's tables, against a bare COPY of the same rows into the same PostgreSQL.

Reads ../shared/data/siga-sulbar-2025 (or KKB_SHARED); skipped with a message where it is absent.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.embedded.throwaway import ThrowawayServers, throwaway_servers
from deploy.identity_keys import IdentityKeys
from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import load_private_key, mint
from kit.process import application
from kit.settings import ServiceSettings
from services.registry.service import SERVICE

FOLDER = Path(os.environ.get("KKB_SHARED", Path(__file__).parents[2] / "shared")) / "data/siga-sulbar-2025"


def tables() -> dict[str, bytes]:
    """The ten monthly and yearly tables."""
    return {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.csv.gz")) if "verval" not in path.name}


async def bare_copy(dsn: str, files: dict[str, bytes]) -> tuple[int, float]:
    """Rows and seconds of COPY into one text table each."""
    connection = await asyncpg.connect(dsn)
    started, total = time.perf_counter(), 0
    for number, content in enumerate(files.values()):
        header, *rows = list(csv.reader(io.StringIO(gzip.decompress(content).decode())))
        columns = [f"c{place}" for place in range(len(header))]
        await connection.execute(f"CREATE TABLE copy_{number} ({', '.join(f'{name} text' for name in columns)})")
        await connection.copy_records_to_table(f"copy_{number}", records=rows, columns=columns)
        total += len(rows)
    await connection.close()
    return total, time.perf_counter() - started


async def run_import(client: httpx.AsyncClient, files: dict[str, bytes]) -> tuple[float, dict[str, Any]]:
    """Seconds from the first upload to the end of the work, and the import."""
    started = time.perf_counter()
    body = {"format": "siga", "region": "76", "year": 2025, "dry_run": False}
    created = (await client.post("/imports", json=body)).raise_for_status().json()
    for name, content in files.items():
        table = name.removesuffix(".csv.gz")
        (await client.put(f"/imports/{created['id']}/tables/{table}", content=content)).raise_for_status()
    (await client.post(f"/imports/{created['id']}/start")).raise_for_status()
    while (state := (await client.get(f"/imports/{created['id']}")).json())["state"] not in {"done", "failed"}:  # noqa: ASYNC110 - the work is in another process
        await asyncio.sleep(0.1)
    return time.perf_counter() - started, state


async def measure(servers: ThrowawayServers) -> None:
    """Print the figures."""
    files = tables()
    keys = IdentityKeys(Path(tempfile.mkdtemp()))
    keys.make()
    url = servers.fresh_database("registry")
    settings = ServiceSettings(
        port=0, ops_port=0, database_url=url, nats_url=servers.nats_url, identity_public_key_file=keys.public
    )
    principal = Principal("benchmark", "benchmark", (Grant(Role.ADMINISTRATOR, None),))
    headers = {IDENTITY_HEADER: mint(principal, load_private_key(keys.private), SERVICE.name)}
    rows, copied = await bare_copy(servers.fresh_database("registry").replace("+asyncpg", ""), files)
    app = application(SERVICE, settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        base = "http://benchmark/api/v1"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers, timeout=120) as client:
            first, state = await run_import(client, files)
            again, _ = await run_import(client, files)
    assert state["state"] == "done", state
    print(
        f"import of {rows:,} rows: {first:.1f} s, {rows / first:,.0f} rows/s; {first / copied:.0f} x a bare COPY ({copied:.2f} s)"
    )
    print(f"the same import again (nothing changes): {again:.1f} s, {rows / again:,.0f} rows/s")


def main() -> None:
    """Measure, or say why not."""
    if not FOLDER.exists():
        print(f"import_siga: skipped, {FOLDER.name} is not on this machine")
        return
    with throwaway_servers() as servers:
        asyncio.run(measure(servers))


if __name__ == "__main__":
    main()
