"""The background worker of re-emissions: one chunk a transaction, oldest job first."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI

from kit.database import Database
from kit.outbox import publish
from kit.problems import is_database_away
from kit.re_emissions import ReEmit, store

CHUNK: Final = 50
"""Things of one chunk, whose writers wait while it is committed; a village brings all its reports."""
MOST_WAITING: Final = 5_000
"""Unpublished events above which a re-emission pauses, so that what happens now is not told behind it."""
MOST_ATTEMPTS: Final = 5
_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 2.0

log = logging.getLogger(__name__)


async def run_re_emissions(app: FastAPI) -> None:
    """Run queued re-emissions until cancelled."""
    database: Database = app.state.database
    re_emit: ReEmit = app.state.service.re_emit
    while True:
        try:
            busy = await run_next(database, re_emit)
        except Exception as error:  # noqa: BLE001 - the worker outlives whatever happens to one re-emission
            log.warning("re-emissions wait: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            if not busy:
                await asyncio.sleep(_POLL_SECONDS)


async def run_next(database: Database, re_emit: ReEmit) -> bool:
    """Write the next chunk of the oldest re-emission, or end it; whether there was something to do."""
    number: UUID | None = None
    try:
        async with database.transaction() as session:
            job = await store.claim(session)
            if job is None:
                return False
            number = job.id
            if job.written_at is not None:
                return await store.finish(session, job)
            if await store.waiting(session) > MOST_WAITING:
                return False
            events, place = await re_emit(session, job.region_code, job.place, CHUNK)
            await publish(session, events)
            await store.advance(session, job, events, place)
    except Exception as error:
        if number is not None and not is_database_away(error):
            await _note(database, number, error)
        raise
    return True


async def _note(database: Database, number: UUID, error: Exception) -> None:
    log.error("re-emission failed: %s", type(error).__name__, exc_info=error, extra=_named(number))
    async with database.transaction() as session:
        await store.note_failure(session, number, f"a defect of ours: {type(error).__name__}", MOST_ATTEMPTS)


def _named(number: UUID) -> dict[str, Any]:
    return {"re_emission": str(number)}
