"""The background worker of recomputations: one process of the service at a time, one chunk of villages a transaction."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fastapi import FastAPI

from kit import clock, projection_lock
from kit.database import Database
from kit.problems import is_database_away
from kit.rebuilds.pausing import pause_of
from services.scoring.assessments.actions import assess
from services.scoring.histories.rules import NEWEST_PERIOD
from services.scoring.recomputations import store
from services.scoring.recomputations.schemas import RecomputationState
from services.scoring.recomputations.tables import Recomputation
from services.scoring.villages import store as villages

log = logging.getLogger(__name__)

_LOCK: Final = 0x6B6B_7263
CHUNK: Final = 1_000
"""Villages of one transaction: small enough that an event of one of them hardly waits."""
MOST_ATTEMPTS: Final = 5
"""How often a run may break off without having stored a chunk before the recomputation is given up."""
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 3.0


async def run_recomputations(app: FastAPI) -> None:
    """Run queued recomputations until cancelled."""
    while True:
        try:
            await run_next(app.state.database)
        except store.Overtaken:
            log.info("the recomputation was cancelled, or another process runs it")
        except Exception as error:
            if not is_database_away(error):
                log.exception("a recomputation broke off")
            else:
                log.warning("the recomputation waits: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        await asyncio.sleep(_POLL_SECONDS)


async def run_next(database: Database) -> None:
    """Run the recomputation that waits longest, if there is one, for as long as no rebuild has its facts in doubt."""
    async with database.transaction() as session:
        job = await store.waiting(session)
    if job is None or await pause_of(database)():
        return
    async with database.alone(_LOCK) as mine:
        if mine:
            await _run(database, job)


async def _run(database: Database, job: Recomputation) -> None:
    begun, is_in_doubt = await _begin(database, job), pause_of(database)
    if begun is None:
        return
    while begun.state == RecomputationState.RUNNING and not await is_in_doubt():
        begun = await _next_chunk(database, begun)


async def _begin(database: Database, job: Recomputation) -> Recomputation | None:
    """Note that a run begins; None where too many have broken off."""
    async with database.transaction() as session:
        if job.attempts >= MOST_ATTEMPTS:
            failed = {"state": RecomputationState.FAILED.value, "failure": f"broke off {job.attempts} times"}
            await store.change(session, job, **failed, finished_at=clock.now())
            return None
        return await store.change(
            session,
            job,
            run=job.run + 1,
            attempts=job.attempts + 1,
            state=RecomputationState.RUNNING.value,
            started_at=job.started_at or clock.now(),
            villages_total=await store.count_villages(session, job.region_code),
        )


async def _next_chunk(database: Database, job: Recomputation) -> Recomputation:
    async with database.transaction() as session:
        await projection_lock.take_shared(session)
        ids = await store.next_villages(session, job.region_code, job.place, CHUNK)
        await villages.lock(session, ids)
        tally = await assess(session, dict.fromkeys(ids, job.since or NEWEST_PERIOD))
        at_the_end = len(ids) < CHUNK
        return await store.change(
            session,
            job,
            attempts=1,
            place=ids[-1] if ids else job.place,
            villages_done=job.villages_done + len(ids),
            written=job.written + tally.written,
            news=job.news + tally.news,
            state=(RecomputationState.DONE if at_the_end else RecomputationState.RUNNING).value,
            finished_at=clock.now() if at_the_end else None,
        )
