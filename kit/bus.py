"""The connection to NATS JetStream: made in the background, kept for ever, streams ensured."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from typing import Any

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from contracts.events import STREAMS
from kit import clock, metrics
from kit.tasks import keep_running

log = logging.getLogger(__name__)

_DUPLICATE_WINDOW_SECONDS = 120.0
_MAX_AGE_SECONDS = 400 * 24 * 3600.0
_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 2.0
_LOOK_EVERY_SECONDS = 5.0
_LOOKS = 2
REQUEST_SECONDS = 5.0
"""Longest wait for an answer of the stream."""


NATS_AWAY: tuple[type[Exception], ...] = (nats.errors.Error, OSError, TimeoutError, RuntimeError)
"""How an absent NATS shows itself through nats-py; RuntimeError is uvloop's, of a transport that was closed meanwhile."""


class Bus:
    """A NATS connection that a process does not need in order to start or to write: only events wait for it."""

    def __init__(self, url: str, name: str) -> None:
        self._servers = url.split(",")
        self._name = name
        self._ready = asyncio.Event()
        self._client: Client | None = None
        self.away_since: datetime | None = clock.now()
        """Since when the server cannot be reached; None while connected."""

    @property
    def connected(self) -> bool:
        """Whether the server can be reached just now."""
        return self._client is not None and self._client.is_connected

    @property
    def closed(self) -> bool:
        """Whether the client has given up for good; a process in this state is not alive."""
        return self._client is not None and self._client.is_closed

    async def run(self) -> None:
        """Connect, however long it takes, and ensure the streams; return when cancelled, the connection closed."""
        metrics.BUS_CONNECTED.set_function(lambda: float(self.connected))
        try:
            while True:
                await keep_running("the connection to NATS", self._connect)
                await self._until_left_alone()
                await self._close()
        finally:
            await self._close()

    async def _until_left_alone(self) -> None:
        """Return when the client's task that should reconnect has ended by an error that it did not foresee.

        nats-py would then neither be connected nor closed, for ever: uvloop's RuntimeError for a transport that was closed
        meanwhile is in none of its excepts. Looked at from outside, because nobody is told.
        """
        assert self._client is not None
        left_alone = 0
        while left_alone < _LOOKS:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            task = self._client._reconnection_task  # noqa: SLF001 - nats-py shows it nowhere else
            away = not (self._client.is_connected or self._client.is_closed)
            left_alone = left_alone + 1 if away and task is not None and task.done() else 0
        error = None if task is None or task.cancelled() else task.exception()
        log.error("NATS: reconnecting has ended, a new connection is made", exc_info=error)

    async def _close(self) -> None:
        client, self._client = self._client, None
        self._ready.clear()
        if client is not None:
            with contextlib.suppress(*NATS_AWAY):
                await asyncio.wait_for(client.close(), _CLOSE_SECONDS)

    async def _connect(self) -> None:
        while not self._ready.is_set():
            await self._try_connect()

    async def _try_connect(self) -> None:
        try:
            if self._client is None:
                self._client = await nats.connect(
                    self._servers,
                    name=self._name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RETRY_SECONDS,
                    connect_timeout=2,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    flush_timeout=REQUEST_SECONDS,
                    error_cb=_on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_connected,
                )
                await self._on_connected()
            for stream, subjects in STREAMS.items():
                await ensure_stream(self._client.jetstream(timeout=REQUEST_SECONDS), stream, subjects)
            self._ready.set()
        except NATS_AWAY as error:
            log.warning("NATS is not there yet: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _on_disconnected(self) -> None:
        self.away_since = self.away_since or clock.now()

    async def _on_connected(self) -> None:
        self.away_since = None

    async def client(self) -> Client:
        """The connection, as soon as the server was reached and has the streams; it may be away again by then."""
        await self._ready.wait()
        assert self._client is not None
        return self._client

    async def jetstream(self) -> JetStreamContext:
        """JetStream of the connection."""
        return (await self.client()).jetstream(timeout=REQUEST_SECONDS)


async def _on_error(error: Exception) -> None:
    log.warning("NATS: %s", str(error) or type(error).__name__)


async def ensure_stream(jetstream: JetStreamContext, name: str, subjects: str) -> None:
    """Create the stream if it is not there; a stream that operators have tuned is left as it is."""
    try:
        await jetstream.stream_info(name)
    except NotFoundError:
        settings: dict[str, Any] = {
            "subjects": [subjects],
            "storage": StorageType.FILE,
            "retention": RetentionPolicy.LIMITS,
            # a full stream refuses what is new, which waits in the outbox, instead of dropping what nobody has read yet
            "discard": DiscardPolicy.NEW,
            "duplicate_window": _DUPLICATE_WINDOW_SECONDS,
            "max_age": _MAX_AGE_SECONDS,
        }
        await jetstream.add_stream(StreamConfig(name=name, **settings))
