"""What a process remembers of the database for a short while, and forgets as soon as another process says so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import Any, Generic, TypeVar

import asyncpg

from kit import deadlines
from kit.problems import CONNECTION_LOST

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_DEAF_SECONDS = 2.0
"""How long something is remembered while nobody could tell us that it changed."""
_PING_SECONDS = 5.0
_RECONNECT_SECONDS = 1.0


class Remembered(Generic[K, V]):
    """Things by the key they are asked for; each belongs to somebody, by whose name it is forgotten."""

    def __init__(self, load: Callable[[K], Awaitable[V]], owner: Callable[[V], str], seconds: float, most: int) -> None:
        self._load = load
        self._owner = owner
        self._seconds = seconds
        self._most = most
        self._known: dict[K, tuple[float, V]] = {}
        self._loading: dict[K, asyncio.Task[V]] = {}
        self._forgotten = 0
        """Counts what was forgotten, so that what is loaded meanwhile is not remembered."""
        self.listening = False

    async def get(self, key: K) -> V:
        """What is remembered, else what is loaded; those who want the same wait for the same query.

        Raises:
            TimeoutError: the request's time is over; the query goes on for the others, with a limit of its own.
        """
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < self._life:
            return known[1]
        loading = self._loading.get(key)
        if loading is None:
            loading = asyncio.create_task(self._load_one(key), context=Context())  # not within one request's time
            self._loading[key] = loading
            loading.add_done_callback(lambda task: self._loaded(key, task))
        async with asyncio.timeout(deadlines.remaining()):
            return await asyncio.shield(loading)

    def forget(self, owner: str) -> None:
        """Load anew what belongs to somebody."""
        self._forget_loading()
        self._known = {key: known for key, known in self._known.items() if self._owner(known[1]) != owner}

    def forget_all(self) -> None:
        """Load everything anew."""
        self._forget_loading()
        self._known.clear()

    async def listen(self, dsn: str, channel: str) -> None:
        """Hear from other processes whose things to forget, until cancelled."""
        while True:
            try:
                await self._listen_once(dsn, channel)
            except CONNECTION_LOST as error:
                log.warning("the listener on %s lost its database: %s", channel, type(error).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(_RECONNECT_SECONDS)

    @property
    def _life(self) -> float:
        return self._seconds if self.listening else min(_DEAF_SECONDS, self._seconds)

    async def _load_one(self, key: K) -> V:
        forgotten, loaded_at = self._forgotten, time.monotonic()
        value = await self._load(key)
        if forgotten == self._forgotten:
            while len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            self._known[key] = (loaded_at, value)
        return value

    def _forget_loading(self) -> None:
        """What is being loaded may be as it was before: nobody who comes from now on waits for that."""
        self._forgotten += 1
        self._loading.clear()

    def _loaded(self, key: K, task: asyncio.Task[V]) -> None:
        if self._loading.get(key) is task:
            del self._loading[key]
        if not task.cancelled():
            task.exception()  # looked at, also when everybody who waited for it has gone

    async def _listen_once(self, dsn: str, channel: str) -> None:
        connection = await asyncpg.connect(dsn, timeout=_PING_SECONDS, command_timeout=_PING_SECONDS)
        try:
            await connection.add_listener(channel, self._on_notice)
            self.forget_all()  # something may have changed while nobody listened
            self.listening = True
            while True:
                await asyncio.sleep(_PING_SECONDS)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _on_notice(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        self.forget(payload)
