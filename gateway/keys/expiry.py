"""How many keys will be missed soon: somebody must be told before they end, not after."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.keys import store
from gateway.metrics import KEYS_EXPIRING
from kit import clock
from kit.database import Database
from kit.metrics import UNKNOWN
from kit.problems import is_database_away

WARNED_BEFORE = timedelta(days=30)
_IN_USE = timedelta(days=30)
"""A key that nobody has used for so long may end quietly."""
_LOOK_SECONDS = 300.0


async def watch_expiry(database: Database) -> None:
    """Count them now and then, until cancelled."""
    while True:
        await count_expiring(database)
        await asyncio.sleep(_LOOK_SECONDS)


async def count_expiring(database: Database) -> None:
    """Set the metric; it is not known while the database is away."""
    now = clock.now()
    try:
        async with database.transaction() as session:
            found = await store.count_expiring(session, now, WARNED_BEFORE, now - _IN_USE)
        KEYS_EXPIRING.set(found)
    except Exception as error:
        KEYS_EXPIRING.set(UNKNOWN)
        if not is_database_away(error):
            raise
