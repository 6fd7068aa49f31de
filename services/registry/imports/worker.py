"""The background worker: takes imports from the queue, one at a time, and erases what is past its time.

The queue row stays locked while its import runs (FOR UPDATE SKIP LOCKED): another process skips it, and when this one
dies PostgreSQL lets go of the lock and whoever asks next resumes the import.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock
from kit.database import Database
from kit.tasks import stop
from services.registry.imports import running, store

KEPT: Final = timedelta(days=90)
"""How long uploaded tables and row results are kept after an import has ended."""
_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 5.0
_ERASE_EVERY_SECONDS: Final = 3600.0
_HEARD_EVERY_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


async def run_imports(app: FastAPI) -> None:
    """Run queued imports until cancelled."""
    database: Database = app.state.database
    erase_at = 0.0
    while True:
        try:
            busy = await run_next(database)
            if asyncio.get_running_loop().time() >= erase_at:
                await erase_old(database)
                erase_at = asyncio.get_running_loop().time() + _ERASE_EVERY_SECONDS
        except Exception as error:  # noqa: BLE001 - the worker outlives whatever happens to one import
            log.warning("imports wait: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            if not busy:
                await asyncio.sleep(_POLL_SECONDS)


async def run_next(database: Database) -> bool:
    """Run the import that waits longest; whether there was one."""
    async with database.transaction() as claim:
        number = await store.claim(claim)
        if number is None:
            return False
        await _while_held(claim, running.run(database, number))
        await store.unqueue(claim, number)
    return True


async def _while_held(claim: AsyncSession, run: Coroutine[Any, Any, None]) -> None:
    """Run it; meanwhile let PostgreSQL hear of the claim, for it ends a transaction that stays silent.

    So a process that was frozen loses its import to another, and one that has lost it stops.
    """
    task = asyncio.create_task(run)
    try:
        while not (await asyncio.wait({task}, timeout=_HEARD_EVERY_SECONDS))[0]:
            await claim.execute(sa.text("SELECT 1"))
        task.result()
    finally:
        await stop([task])


async def erase_old(database: Database) -> None:
    """Erase tables and row results 90 days after their import ended; imports never started go whole."""
    async with database.transaction() as session:
        await store.erase_old(session, clock.now() - KEPT, clock.now())
