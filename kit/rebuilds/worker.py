"""The background worker of rebuilds: one process of a service at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any, Final

import nats
from fastapi import FastAPI

from kit import clock
from kit.database import Database
from kit.problems import is_database_away
from kit.rebuilds import Projection, store
from kit.rebuilds.running import run, workshop
from kit.rebuilds.schemas import Failure, RebuildState
from kit.stream import NotRead

log = logging.getLogger(__name__)

_LOCK: Final = 0x6B6B_7262
"""Advisory lock of whoever runs a rebuild; PostgreSQL lets go of it when the process dies."""
MOST_WAITING: Final = timedelta(hours=2)
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 3.0
_OTHERS_SECONDS: Final = 5.0
"""How often to look whether the process that runs it has died."""


async def run_rebuilds(app: FastAPI) -> None:
    """Run queued rebuilds until cancelled."""
    while True:
        try:
            await _run_next(app)
        except store.Overtaken:
            log.warning("another process runs the rebuild")
        except Exception as error:
            if not (isinstance(error, NotRead | nats.errors.Error) or is_database_away(error)):
                raise
            log.warning("the rebuild waits: %s", str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        await asyncio.sleep(_POLL_SECONDS)


async def _run_next(app: FastAPI) -> None:
    database: Database = app.state.database
    projection: Projection = app.state.service.projection
    async with database.transaction() as session:
        job = await store.under_way(session)
    if job is None or not app.state.bus.connected:  # a run that is begun counts, so none is while NATS is away
        return
    if job.state == RebuildState.WAITING:
        await _give_up_waiting(database, job)
        return
    async with workshop(app, projection) as tools, tools.living.alone(_LOCK) as mine:
        if mine:
            await run(tools, job.id)
            return
    await asyncio.sleep(_OTHERS_SECONDS)


async def _give_up_waiting(database: Database, job: Any) -> None:
    """Let the consumers go on if whoever asked for the rebuild does not come back."""
    if clock.now() - job.requested_at > MOST_WAITING:
        async with database.transaction() as session:
            detail = f"no re-emissions were named within {MOST_WAITING}"
            await store.fail(session, await store.hold(session, job), Failure.NEVER_TOLD, detail)
