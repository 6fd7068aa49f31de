"""Publishes the outbox to JetStream: one leader per service, in order, at least once.

A row is marked published only after the stream has acknowledged it, so a crash between the two publishes it again;
`Nats-Msg-Id` lets the stream drop that copy within its window and the consumers' inbox drops it for ever.
Rows are picked by "not yet published", never by "id greater than the last": a slow transaction with a lower id is
published when it commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import asyncpg
import nats
from nats.js import JetStreamContext

from kit import metrics
from kit.bus import Bus
from kit.outbox import CHANNEL

log = logging.getLogger(__name__)

_LOCK = 0x6B6B_6F75
"""Advisory lock of the relay's leader (one database per service, so one number serves all)."""
_BATCH = 500
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_STATEMENT_SECONDS = 30.0
_KEEP_PUBLISHED = "14 days"
_CLEAN_EVERY_SECONDS = 3600.0

_READ = "SELECT id, event_id, subject, body FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT $1"
_MARK = "UPDATE outbox SET published_at = now() WHERE id = ANY($1)"
_DEPTH = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 "
    "FROM outbox WHERE published_at IS NULL"
)
_CLEAN = (
    f"DELETE FROM outbox WHERE published_at < now() - interval '{_KEEP_PUBLISHED}'",  # noqa: S608 - our own constant
    f"DELETE FROM inbox WHERE handled_at < now() - interval '{_KEEP_PUBLISHED}'",  # noqa: S608 - our own constant
    "DELETE FROM idempotency_keys WHERE created_at < now() - interval '7 days'",
)


class Relay:
    """Publishes one service's outbox while it holds the leader's lock."""

    def __init__(self, dsn: str, bus: Bus) -> None:
        self._dsn = dsn
        self._bus = bus
        self._wake = asyncio.Event()
        self._cleaned = 0.0

    async def run(self) -> None:
        """Publish until cancelled; whatever fails is tried again."""
        while True:
            try:
                await self._lead()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.warning("relay lost its database: %s", type(error).__name__)
            finally:
                metrics.RELAY_LEADER.set(0)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _lead(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=_STATEMENT_SECONDS)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 - the lock is in PostgreSQL
                await asyncio.sleep(_RETRY_SECONDS)
            metrics.RELAY_LEADER.set(1)
            await connection.add_listener(CHANNEL, lambda *_: self._wake.set())
            while True:
                self._wake.clear()
                if not await self._publish_batch(connection):
                    await self._rest(connection)
        finally:
            connection.terminate()

    async def _publish_batch(self, connection: asyncpg.Connection) -> bool:
        """Publish the oldest rows; True when there may be more."""
        rows = await connection.fetch(_READ, _BATCH)
        if not rows:
            return False
        accepted = await self._send(rows)
        await connection.execute(_MARK, accepted)
        metrics.OUTBOX_PUBLISHED.inc(len(accepted))
        if len(accepted) < len(rows):
            metrics.OUTBOX_FAILURES.inc()
            await asyncio.sleep(_RETRY_SECONDS)
        return len(rows) == _BATCH or len(accepted) < len(rows)

    async def _send(self, rows: list[Any]) -> list[int]:
        """Send a batch in order without waiting between messages; ids that the stream acknowledged."""
        jetstream = await self._bus.jetstream()
        answers = await asyncio.gather(*(_publish(jetstream, row) for row in rows))
        return [row["id"] for row, acknowledged in zip(rows, answers, strict=True) if acknowledged]

    async def _rest(self, connection: asyncpg.Connection) -> None:
        depth, age = await connection.fetchrow(_DEPTH)
        metrics.OUTBOX_DEPTH.set(depth)
        metrics.OUTBOX_AGE.set(age)
        await self._clean(connection)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)

    async def _clean(self, connection: asyncpg.Connection) -> None:
        now = asyncio.get_running_loop().time()
        if self._cleaned and now - self._cleaned < _CLEAN_EVERY_SECONDS:
            return
        for statement in _CLEAN:
            await connection.execute(statement)
        self._cleaned = now


async def _publish(jetstream: JetStreamContext, row: Any) -> bool:
    try:
        await jetstream.publish(row["subject"], row["body"], headers={"Nats-Msg-Id": str(row["event_id"])})
    except (nats.errors.Error, TimeoutError, OSError) as error:
        log.warning("not published, will be tried again: %s", type(error).__name__)
        return False
    return True
