"""Places the outbox in the order of commits and publishes it to JetStream: one leader per service, at least once.

Two steps, so that the change feed goes on while NATS is away. *Placing* gives every committed row a position; because
only the leader places, and row by row in the order in which rows became visible, what is read below a position is
complete for ever: a slow transaction with a lower id simply gets a later position. *Publishing* sends rows in the
order of their positions and moves a watermark when the stream has acknowledged them, so a crash between the two
publishes again; `Nats-Msg-Id` lets the stream drop that copy within its window, and the consumers' inbox for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from typing import Any

import asyncpg
from nats.js.api import PubAck

from kit import failpoints, metrics
from kit.bus import Bus
from kit.outbox import CHANNEL
from kit.problems import CONNECTION_LOST
from kit.reconciler import Reconciler
from kit.stream import send
from kit.tasks import first_to_end

log = logging.getLogger(__name__)

PLACED_CHANNEL = "kkb_placed"
"""NOTIFY channel that says that events got their positions."""

LOCK = 0x6B6B_6F75
"""Advisory lock of the relay's leader (one database per service, so one number serves all)."""
_PLACE_AT_ONCE = 5_000
_BATCH = 500
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_STATEMENT_SECONDS = 30.0
_LEADER_STATEMENT_SECONDS = 8.0
_MEASURE_EVERY_SECONDS = 5.0
_CLEAN_EVERY_SECONDS = 3600.0
_CLEAN_AT_ONCE = 10_000

_SESSION = {
    "application_name": "kkb-relay",
    # A plan made while the outbox was nearly empty compares every row with every other: after an import into a new database
    # 5,000 events took 3.8 s to place (under load over the leader's limit, so that it lost its lock), planned anew 0.2 s.
    "plan_cache_mode": "force_custom_plan",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
# The leader asks every second. One that has gone silent (its machine, its network) loses its lock with its session;
# cut off, it has given up by itself before (_LEADER_STATEMENT_SECONDS).
_LEADER_SESSION = _SESSION | {"idle_session_timeout": "10s"}

_FIRST = "INSERT INTO publication DEFAULT VALUES ON CONFLICT DO NOTHING"
_PLACE = """
WITH unplaced AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM
        (SELECT id FROM outbox WHERE position IS NULL ORDER BY id LIMIT $1) u),
    head AS (UPDATE publication SET position = position + (SELECT count(*) FROM unplaced)
        WHERE EXISTS (SELECT FROM unplaced) RETURNING position - (SELECT count(*) FROM unplaced) AS base),
    placed AS (UPDATE outbox SET position = head.base + unplaced.place FROM unplaced, head
        WHERE outbox.id = unplaced.id AND outbox.position IS NULL RETURNING outbox.position)
SELECT count(*) AS number FROM placed
"""
_STATE = "SELECT feed_id, position, published, stream_sequence FROM publication"
_READ = (
    "SELECT position, event_id, type, region_code, body, created_at FROM outbox "
    "WHERE position > $1 ORDER BY position LIMIT $2"
)
_MARK = "UPDATE publication SET published = greatest(published, $1), stream_sequence = greatest(stream_sequence, $2)"
_DEPTH = (
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8, "
    "coalesce((SELECT position FROM publication), 0) FROM outbox "
    "WHERE position IS NULL OR position > (SELECT published FROM publication)"
)
_CLEAN = (
    # the newest event of every entity stays for ever: whoever follows from the beginning gets the whole present state
    (
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox o WHERE created_at < now() - interval '14 days' "
        "AND position <= (SELECT published FROM publication) "
        "AND EXISTS (SELECT FROM outbox n WHERE n.entity = o.entity AND n.position > o.position) LIMIT $1)"
    ),
    (
        "DELETE FROM inbox WHERE (consumer, event_id) IN (SELECT consumer, event_id FROM inbox "
        "WHERE handled_at < now() - interval '14 days' LIMIT $1)"
    ),
    (
        "DELETE FROM idempotency_keys WHERE (caller, key) IN (SELECT caller, key FROM idempotency_keys "
        "WHERE created_at < now() - interval '7 days' LIMIT $1)"
    ),
    (
        "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters "
        "WHERE resolved_at < now() - interval '400 days' LIMIT $1)"
    ),
)


class Relay:
    """Places and publishes one service's outbox while it holds the leader's lock."""

    def __init__(self, dsn: str, bus: Bus, stream: str, poll_seconds: float = _POLL_SECONDS) -> None:
        self._dsn = dsn
        self._poll_seconds = poll_seconds
        self._bus = bus
        self._stream = stream
        self._written = asyncio.Event()
        self._placed = asyncio.Event()
        self.leads = False
        """Whether this process places and publishes for its service."""

    async def run(self) -> None:
        """Lead whenever nobody else does, until cancelled; whatever fails is tried again."""
        while True:
            try:
                await self._lead()
            except CONNECTION_LOST as error:
                log.warning("relay lost its database: %s", type(error).__name__)
            finally:
                self.leads = False
                metrics.RELAY_LEADER.set(0)
                metrics.forget_outbox()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _connect(
        self, held: contextlib.AsyncExitStack, session: dict[str, str], seconds: float = _STATEMENT_SECONDS
    ) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=seconds, server_settings=session)
        held.callback(connection.terminate)
        return connection

    async def _lead(self) -> None:
        async with contextlib.AsyncExitStack() as held:
            leader = await self._connect(held, _LEADER_SESSION, _LEADER_STATEMENT_SECONDS)
            await _stand_by(leader)
            await leader.execute(_FIRST)
            self.leads = True
            metrics.RELAY_LEADER.set(1)
            await leader.add_listener(CHANNEL, lambda *_: self._written.set())
            publisher, keeper, reader = [await self._connect(held, _SESSION) for _ in range(3)]
            reconciler = Reconciler(self._bus, self._stream)
            await first_to_end(
                self._place(leader),
                self._publish(publisher, reconciler),
                self._keep(keeper),
                reconciler.run(reader),
            )

    async def _place(self, connection: asyncpg.Connection) -> None:
        while True:
            self._written.clear()
            placed = await connection.fetchrow(_PLACE, _PLACE_AT_ONCE)
            if placed["number"]:
                self._placed.set()
                await connection.execute(f"NOTIFY {PLACED_CHANNEL}")
            if placed["number"] < _PLACE_AT_ONCE:
                await self._woken(self._written)

    async def _publish(self, connection: asyncpg.Connection, reconciler: Reconciler) -> None:
        await reconciler.feed_checked.wait()
        while True:
            self._placed.clear()
            state = await connection.fetchrow(_STATE)
            rows = await connection.fetch(_READ, state["published"], _BATCH)
            if rows:
                await self._publish_batch(connection, state, rows, reconciler)
            else:
                await self._woken(self._placed)

    async def _publish_batch(
        self, connection: asyncpg.Connection, state: Any, rows: list[Any], reconciler: Reconciler
    ) -> None:
        acknowledged = await self._send(state, rows)
        if acknowledged:
            failpoints.reach("after_publish")
            newest = max(ack.seq for ack in acknowledged)
            await connection.execute(_MARK, rows[len(acknowledged) - 1]["position"], newest)
            metrics.OUTBOX_PUBLISHED.inc(len(acknowledged))
            if any(ack.seq <= state["stream_sequence"] and not ack.duplicate for ack in acknowledged):
                reconciler.doubt()
        if len(acknowledged) < len(rows):
            metrics.OUTBOX_FAILURES.inc()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _send(self, state: Any, rows: list[Any]) -> list[PubAck]:
        """Send a batch in order without waiting between messages; acknowledgements up to the first that is missing."""
        client = await self._bus.client()
        acknowledged: list[PubAck] = []
        for answer in await send(client, state, rows):
            if isinstance(answer, Exception):
                log.warning("not published, will be tried again: %s", answer)
                break
            acknowledged.append(answer)
        return acknowledged

    async def _woken(self, event: asyncio.Event) -> None:
        """Wait until told, or until it is time to look anyway: a notification can be lost."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), self._poll_seconds)

    async def _keep(self, connection: asyncpg.Connection) -> None:
        """Measure the outbox, and clean what nobody needs any more."""
        cleaned: float | None = None
        while True:
            await _measure(connection)
            now = asyncio.get_running_loop().time()
            if cleaned is None or now - cleaned > _CLEAN_EVERY_SECONDS:
                await _clean(connection)
                cleaned = now
            await asyncio.sleep(_MEASURE_EVERY_SECONDS)


async def _stand_by(connection: asyncpg.Connection) -> None:
    """Wait until nobody else leads. Whoever waits measures too, so that the figures are true when nobody can lead."""
    for second in itertools.count():
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            return
        if second % _MEASURE_EVERY_SECONDS == 0:
            await _measure(connection)
        await asyncio.sleep(_RETRY_SECONDS)


async def _measure(connection: asyncpg.Connection) -> None:
    depth, age, position = await connection.fetchrow(_DEPTH)
    metrics.OUTBOX_DEPTH.set(depth)
    metrics.OUTBOX_AGE.set(age)
    metrics.OUTBOX_POSITION.set(position)


async def _clean(connection: asyncpg.Connection) -> None:
    """Clean as far as it goes: what takes too long is left for the next time, and no reason to stop publishing."""
    for statement in _CLEAN:
        try:
            while (await connection.execute(statement, _CLEAN_AT_ONCE)) == f"DELETE {_CLEAN_AT_ONCE}":
                pass
        except TimeoutError:
            log.warning("cleaning took longer than %g s, goes on in an hour: %s", _STATEMENT_SECONDS, statement[:30])
