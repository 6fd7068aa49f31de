"""Keeps the number of open dead letters before the operators' eyes: a consumer's lag is 0 when an event was put aside."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from kit import metrics
from kit.database import Database
from kit.dead_letters import store
from kit.problems import is_database_away

log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 5.0


class OpenDeadLetters:
    """Counts a service's open dead letters by consumer, in every process: they outlive it, and others resolve them."""

    def __init__(self, database: Database, consumers: Iterable[str]) -> None:
        self._database = database
        self._known = set(consumers)
        self._changed = asyncio.Event()
        for consumer in self._known:
            metrics.DEAD_LETTERS_OPEN.labels(consumer).set(metrics.UNKNOWN)

    def changed(self) -> None:
        """Count anew, soon: this process has put one aside or resolved one."""
        self._changed.set()

    async def run(self) -> None:
        """Count now and then, and when told, until cancelled. While the database is away the last count stands."""
        while True:
            self._changed.clear()
            try:
                await self._count()
            except Exception as error:
                if not is_database_away(error):
                    raise
                log.warning("dead letters not counted: %s", type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _LOOK_EVERY_SECONDS)

    async def _count(self) -> None:
        async with self._database.engine.connect() as connection:
            numbers = await store.count_open(connection)
        self._known |= numbers.keys()  # a consumer of an older release may have left some
        for consumer in self._known:
            metrics.DEAD_LETTERS_OPEN.labels(consumer).set(numbers.get(consumer, 0))
