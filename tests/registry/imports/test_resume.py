"""A worker that is killed in the middle of an import: another process goes on, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from deploy.embedded.ports import free_port
from deploy.embedded.throwaway import ThrowawayServers
from services.registry.reference import official_regions
from tests.callers import caller
from tests.conftest import REPOSITORY, eventually
from tests.registry.imports.desk import BKB, KKB, PUS, Desk, table

REGENCY = "33.26"
MONTHS = ("JANUARI", "FEBRUARI", "MARET", "APRIL", "MEI", "JUNI", "JULI", "AGUSTUS", "SEPTEMBER")


def regency_tables() -> tuple[dict[str, bytes], list[str]]:
    """Tables of a whole regency, and the codes of its desa."""
    names = {code: name.upper() for code, _, _, name, _ in official_regions() if code.startswith("33")}
    desa = sorted(code for code in names if code.startswith(f"{REGENCY}.") and code.count(".") == 3)
    place = {code: f'JAWA TENGAH,PEKALONGAN,"{names[code[:8]]}"' for code in desa}
    coded = {code: f'{place[code]},{code[-4:]},"{names[code]}"' for code in desa}
    monthly = [(code, month) for month in MONTHS for code in desa]
    files = {
        "kkb.csv": table(KKB, *(f"{coded[code]},1,0,0,0,0,1,0,0" for code in desa)),
        "bkb.csv": table(BKB, *(f"{coded[code]},1,1,0,{month}" for code, month in monthly)),
        "pus.csv": table(PUS, *(f'0,{place[code]},"{names[code]}",500,50,{month}' for code, month in monthly)),
    }
    return files, desa


class Process:
    """A registry process of its own."""

    def __init__(self, url: str, servers: ThrowawayServers, key: Path) -> None:
        self.port = free_port()
        self._environment = {
            **os.environ,
            "KKB_PORT": str(self.port),
            "KKB_OPS_PORT": str(free_port()),
            "KKB_DATABASE_URL": url,
            "KKB_NATS_URL": servers.nats_url,
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(key),
        }
        self._running: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "services.registry"],
            cwd=REPOSITORY,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        async def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                async with self.client() as client:
                    return (await client.get("/regions/33", headers=caller("reader"))).status_code == 200
            return False

        await eventually(answers, 60)

    def send(self, number: int) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.send(number)
        self.send(signal.SIGCONT)
        if self._running is not None:
            self._running.wait(30)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=30)


@pytest.fixture
def database(servers: ThrowawayServers) -> Iterator[str]:
    url = servers.fresh_database("registry")
    yield url
    servers.drop_database(url)


@pytest.fixture
async def processes(
    database: str, servers: ThrowawayServers, public_key_file: Path
) -> AsyncIterator[tuple[Process, Process]]:
    pair = Process(database, servers, public_key_file), Process(database, servers, public_key_file)
    yield pair
    for process in pair:
        process.kill(signal.SIGTERM)


async def test_another_process_goes_on_where_a_killed_one_stopped(
    processes: tuple[Process, Process], database: str
) -> None:
    first, second = processes
    files, desa = regency_tables()
    await asyncio.gather(first.start(), second.start())
    second.send(signal.SIGSTOP)  # so that it is the first who takes the import
    dsn = database.replace("+asyncpg", "")
    # a transaction sees pg_stat_activity as it was at its first look, so the watcher is not the holder
    holder, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    async with first.client() as client:
        desk = Desk(client)
        registered = await client.post("/villages", json={"region_code": desa[-1]}, headers=caller("officer"))
        assert registered.status_code == 201
        # the last desa is held, so that the import has to stop before its last chunk
        await holder.execute("BEGIN; SELECT 1 FROM villages FOR UPDATE")
        number = await desk.open(REGENCY)
        for name, data in files.items():
            await desk.upload(number, name, data)
        await desk.start(number)

        async def waiting() -> bool:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return bool(await watcher.fetchval(query))

        await eventually(waiting, 60)
        halfway = await desk.get(number)
    assert halfway["state"] == "running"
    assert 0 < halfway["progress"]["rows_done"] < halfway["progress"]["rows_total"]

    second.send(signal.SIGCONT)
    await asyncio.sleep(1.5)  # long enough for the second to have looked at the queue and left the import alone
    assert await holder.fetchval("SELECT attempts FROM imports") == 0
    first.kill()
    await holder.execute("ROLLBACK")
    async with second.client() as client:
        done = await Desk(client).ended(number)
    assert done["state"] == "done"

    reports = len(desa) * len(MONTHS)
    rows = len(desa) + 2 * reports
    # the village that was there before is unchanged, all else is counted once although two processes did it
    assert done["summary"]["rows"] == {"read": rows, "stored": rows - 1, "unchanged": 1, "skipped": 0, "rejected": 0}
    assert done["summary"]["villages"]["registered"] == len(desa) - 1
    for kind in ("profile", "population", "family_planning"):
        assert done["summary"]["reports"][kind] == {"new": reports, "revised": 0, "unchanged": 0}
    assert await holder.fetchval("SELECT count(*) FROM import_rows") == rows
    assert await holder.fetchval("SELECT count(*) FROM reports WHERE revision = 1") == 3 * reports
    assert await holder.fetchval("SELECT count(*) FROM reports") == 3 * reports
    assert await holder.fetchval("SELECT count(*) FROM outbox") == 3 * reports + len(desa)
    assert await holder.fetchval("SELECT count(*) FROM import_queue") == 0
    await holder.close()
    await watcher.close()
