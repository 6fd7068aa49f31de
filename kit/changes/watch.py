"""Tells those who wait for changes that something they want has come: one connection a process, not one a client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from fastapi import Request

from kit import metrics
from kit.changes.store import Wanted
from kit.problems import CONNECTION_LOST, Unavailable
from kit.relay import PLACED_CHANNEL

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_STATEMENT_SECONDS = 5.0
_AT_ONCE = 500
"""Few enough that comparing them with every waiter does not hold up the loop."""
_HEAD = "SELECT position FROM publication"
_PLACED = "SELECT position, region_code, type FROM outbox WHERE position > $1 ORDER BY position LIMIT $2"


class Watch:
    """Looks at every event that gets its place and wakes those waiters who want it."""

    def __init__(self, dsn: str, seats: int) -> None:
        self._dsn = dsn
        self._seats = seats
        self._waiters: set[Waiter] = set()
        self._waiting = 0
        self._placed = asyncio.Event()
        self._seen: int | None = None
        """Position of the newest event looked at; None while nobody waits."""
        self.ended = False
        """Whether nobody waits here any more, because the process ends."""

    async def run(self) -> None:
        """Look until cancelled; whatever fails is tried again."""
        while True:
            try:
                await self._look_on()
            except CONNECTION_LOST as error:
                log.warning("the watch for changes lost its database: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    def end(self) -> None:
        """Let everybody who waits go at once, and nobody wait again."""
        self.ended = True
        self._wake_all()

    @contextmanager
    def waiter(self, wanted: Wanted) -> Iterator[Waiter]:
        """Somebody who wants to hear of these events from now on, whether he waits already or reads first."""
        waiter = Waiter(self, wanted)
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """A place to wait in.

        Raises:
            Unavailable: all are taken. Not an empty answer: a client would ask again at once, and again.
        """
        if self._waiting >= self._seats:
            raise Unavailable("too many clients wait for changes here; ask again in a moment, or without `wait`")
        self._waiting += 1
        try:
            with metrics.CHANGES_WAITERS.track_inprogress():
                yield
        finally:
            self._waiting -= 1

    async def _look_on(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=_STATEMENT_SECONDS, command_timeout=_STATEMENT_SECONDS)
        try:
            await connection.add_listener(PLACED_CHANNEL, lambda *_: self._placed.set())
            self._seen = None
            while True:
                await self._step(connection)
                with contextlib.suppress(TimeoutError):  # a notification can be lost
                    await asyncio.wait_for(self._placed.wait(), _POLL_SECONDS)
                self._placed.clear()
        finally:
            connection.terminate()

    async def _step(self, connection: asyncpg.Connection) -> None:
        if not self._waiters:
            self._seen = None
        elif self._seen is None:
            await self._begin(connection)
        else:
            await self._look(connection, self._seen)

    async def _begin(self, connection: asyncpg.Connection) -> None:
        """Look on from the newest event; who came before that must read himself what he may have missed."""
        self._seen = await connection.fetchval(_HEAD) or 0
        self._wake_all()

    async def _look(self, connection: asyncpg.Connection, seen: int) -> None:
        while True:
            rows = await connection.fetch(_PLACED, seen, _AT_ONCE)
            for waiter in self._waiters:
                waiter.look(rows)
            if rows:
                seen = self._seen = rows[-1]["position"]
            if len(rows) < _AT_ONCE:
                return

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            waiter.come.set()


class Waiter:
    """One client who wants to hear of some events.

    He is told of everything that gets its place after he was made: who clears `come`, then reads, then waits, misses
    nothing.
    """

    def __init__(self, watch: Watch, wanted: Wanted) -> None:
        self.wanted = wanted
        self.come = asyncio.Event()
        """Set when something wanted has come."""
        self._watch = watch

    def look(self, placed: Sequence[Any]) -> None:
        """See whether something wanted is among these events."""
        if not self.come.is_set() and any(self.wanted.includes(e["region_code"], e["type"]) for e in placed):
            self.come.set()

    async def wait(self, seconds: float, request: Request) -> bool:
        """Wait until something wanted has come; whether reading again is worth it.

        False when the time is over, the client has hung up, or the process ends. Holds no database connection.

        Raises:
            Unavailable: too many wait already.
        """
        if seconds <= 0 or self._watch.ended:
            return False
        with self._watch.seat():
            hung_up = asyncio.create_task(_hung_up(request))
            hung_up.add_done_callback(lambda task: None if task.cancelled() else self.come.set())
            try:
                await asyncio.wait_for(self.come.wait(), seconds)
            except TimeoutError:
                return False
            else:
                return not (hung_up.done() or self._watch.ended)
            finally:
                hung_up.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
