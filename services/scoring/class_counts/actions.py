"""Keeping the tallies short."""

from __future__ import annotations

import asyncio
import logging

from fastapi import FastAPI

from kit.problems import is_database_away
from services.scoring.class_counts import store

log = logging.getLogger(__name__)

_MOST_ROWS = 5_000
"""About 2,100 are left after compacting (514 regencies, four classes); summing up 5,000 takes some 4 ms."""
_LOOK_AGAIN_SECONDS = 10.0


async def keep_tallies_short(app: FastAPI) -> None:
    """Replace the tallies by their sums whenever there are many of them."""
    while True:
        try:
            async with app.state.database.transaction() as session:
                await store.compact(session, _MOST_ROWS)
        except Exception as error:
            if not is_database_away(error):
                raise
            log.warning("tallies not compacted, will be tried again: %s", type(error).__name__)
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
