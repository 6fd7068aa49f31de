"""Issuing a determination of the largest province there is and of the most villages there may be, against the engine alone.

No region of the code list has more than 8,563 villages (Jawa Tengah). Three reports and some interventions a village.
"""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
import sqlalchemy as sa

from benchmarks.evaluation import village
from deploy.embedded.throwaway import throwaway_servers
from kit import clock
from kit.database import Database, copy_rows
from kit.identity import public_pem
from kit.ids import uuid7
from kit.process import application
from kit.settings import ServiceSettings
from services.scoring.determinations.rules import MOST_VILLAGES
from services.scoring.rulesets.library import first_in_force
from services.scoring.service import SERVICE
from tests.callers import SIGNING_KEY, caller

SIZES = {"11": 8_563, "12": MOST_VILLAGES}
KINDS = ("profile", "population", "family_planning")
AT_ONCE = 4_000
DAY = date(2024, 8, 17)
VILLAGE = (
    *("id", "region_code", "version", "status", "name", "province_name", "regency_name", "district_name"),
    *("village_name", "simulated"),
)
REPORT = (
    *("village_id", "kind", "source_system", "period", "report_id", "revision", "simulated", "reported_at", "facts"),
)
INTERVENTION = ("id", "village_id", "version", "date", "actors", "simulated", "withdrawn")


def codes(province: str, count: int) -> list[str]:
    """Codes of so many villages of one province, 1,000 a district."""
    return [f"{province}.{n // 20_000 + 1:02d}.{n // 1_000 % 20 + 1:02d}.{2001 + n % 1000}" for n in range(count)]


async def fill(database: Database, province: str, count: int) -> list[dict[str, Any]]:
    """The villages of a province with all that was reported of them; their facts."""
    dice, made = random.Random(province), []
    for start in range(0, count, AT_ONCE):
        some = [(uuid7(), code, village(dice)) for code in codes(province, count)[start : start + AT_ONCE]]
        async with database.transaction() as session:
            told = [(n, code, 1, "active", None, "Provinsi", code[:5], code[:8], code, True) for n, code, _ in some]
            await copy_rows(session, "villages", VILLAGE, told)
            reports = [
                (n, kind, "manual", "2025-08", uuid7(), 1, True, clock.now(), orjson.dumps(facts[kind]).decode())
                for n, _, facts in some
                for kind in KINDS
            ]
            await copy_rows(session, "reported_facts", REPORT, reports)
            done = [
                (uuid7(), n, 1, DAY, orjson.dumps(one["actors"]).decode(), True, False)
                for n, _, facts in some
                for one in facts["interventions"]
            ]
            await copy_rows(session, "interventions", INTERVENTION, done)
        made += [facts for *_, facts in some]
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(sa.text("ANALYZE"))
    return made


@asynccontextmanager
async def scoring(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    """The service's app on servers of its own, without its background work."""
    key = folder / "identity.pub"
    key.write_bytes(public_pem(SIGNING_KEY.public_key()))
    with throwaway_servers() as servers:
        url = servers.fresh_database("scoring")
        settings = ServiceSettings(
            port=0,
            ops_port=0,
            database_url=url,
            nats_url=servers.nats_url,
            identity_public_key_file=key,
            request_seconds=300,
        )
        app = application(SERVICE, settings)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1", timeout=600) as client:
            yield client, app.state.database
        await app.state.database.close()


async def measure(client: httpx.AsyncClient, province: str, facts: list[dict[str, Any]]) -> None:
    """Preview, issue, and read in each form; each beside the engine's time for the same villages."""
    began = time.perf_counter()
    first_in_force().evaluate(facts)
    engine = time.perf_counter() - began
    print(f"{len(facts):,} villages; the engine alone {engine:.2f} s")
    asked = {"region_code": province, "period": "2025-09", "ruleset": "web-2021"}
    draft = asked | {"decree": {"number": "1", "date": "2025-10-01"}}
    found = await _timed(
        "preview", engine, client.post("/determinations/previews", json=asked, headers=caller("assessor"))
    )
    found = await _timed("issue", engine, client.post("/determinations", json=draft, headers=caller("assessor")))
    number = found.json()["header"]["id"]
    for what in ("", "/villages?limit=200", "/content", "/document", "/list.xlsx"):
        path = f"/determinations/{number}{what}"
        await _timed(what or "header", engine, client.get(path, headers=caller("reader")))


async def _timed(what: str, peer: float, asked: Any) -> httpx.Response:
    slowest, ended = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal slowest
        while not ended.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            slowest = max(slowest, time.perf_counter() - began - 0.005)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    answer: httpx.Response = await asked
    took = time.perf_counter() - began
    ended.set()
    await watching
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"  {what}: {took:.2f} s, {took / peer:.1f} x the engine, {len(answer.content) / 1e6:.1f} MB, others waited "
        f"{1e3 * slowest:.0f} ms at most, peak memory so far {memory} MB, status {answer.status_code}"
    )
    return answer


async def main() -> None:
    with TemporaryDirectory() as folder:
        async with scoring(Path(folder)) as (client, database):
            for province, count in SIZES.items():
                facts = await fill(database, province, count)
                gc.freeze()  # what only this benchmark keeps is not the service's to walk through
                await measure(client, province, facts)


if __name__ == "__main__":
    asyncio.run(main())
