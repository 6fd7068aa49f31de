"""Compares what was published with what the stream holds, and publishes again what the stream has lost.

A stream is not the record: it can be deleted, purged, restored from a backup, or lose its newest messages with a power
cut. The outbox is the record. It keeps the newest event of everything for ever, so a stream that was lost altogether
holds the whole present state again afterwards; of messages that the stream dropped by age only these come back. Whoever
consumes may see such an event twice and knows it by its id, or by its version once the inbox has forgotten the id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import asyncpg
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck, StreamInfo
from nats.js.errors import NotFoundError

from contracts.events import STREAMS
from kit import metrics
from kit.bus import NATS_AWAY, Bus, ensure_stream
from kit.ids import uuid7
from kit.positions import Positions
from kit.stream import NotRead, position_of, read, send

log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 2.0
_READ_EVERY_SECONDS = 3600.0
_LONGEST_WAIT_SECONDS = 300.0
_MOST_DOUBLINGS = 10
_AWAY: tuple[type[Exception], ...] = (*NATS_AWAY, NotRead)
_POSITIONS_AT_ONCE = 10_000
_SEND_AT_ONCE = 500

_STATE = "SELECT feed_id, position, published, stream_sequence, stream_created FROM publication"
_RENEW = "UPDATE publication SET feed_id = gen_random_uuid() WHERE position < $1"
_POSITIONS = "SELECT position FROM outbox WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"
_ROWS = (
    "SELECT position, event_id, type, region_code, body, created_at FROM outbox "
    "WHERE position = ANY($1::bigint[]) ORDER BY position"
)
_DONE = (
    "UPDATE publication SET stream_created = $1, stream_sequence = $2, reconciled_at = now() RETURNING reconciled_at"
)


class Reconciler:
    """Watches the stream of one service for the relay's leader."""

    def __init__(self, bus: Bus, stream: str) -> None:
        self._bus = bus
        self._stream = stream
        self._doubted = asyncio.Event()
        self._seen = 0
        self.feed_checked = asyncio.Event()
        """Set once it is sure, as far as the stream's end tells, that positions are not given a second time."""

    def doubt(self) -> None:
        """Say that the stream gave a number that it gave before."""
        self._doubted.set()

    async def run(self, connection: asyncpg.Connection) -> None:
        """Look every few seconds whether the stream is the one it was; read it now, on any doubt, and every hour."""
        due, failures = 0.0, 0
        while True:
            try:
                client = await self._bus.client()
                if await self._has_doubts(connection, client.jetstream()):
                    due = 0.0
                if asyncio.get_running_loop().time() >= due:
                    await self._reconcile(connection, client)
                    due = asyncio.get_running_loop().time() + _READ_EVERY_SECONDS
                failures = 0
            except _AWAY as error:
                log.warning(
                    "not reconciled with the stream, will be tried again: %s", str(error) or type(error).__name__
                )
                due, failures = 0.0, failures + 1
            # publishing waits for the first look, and NATS for nobody: only reading over and over is to be spared
            if not (self._bus.connected and self.feed_checked.is_set()):
                failures = 0
            wait = min(_LOOK_EVERY_SECONDS * 2 ** min(failures, _MOST_DOUBLINGS), _LONGEST_WAIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._doubted.wait(), wait)

    async def _has_doubts(self, connection: asyncpg.Connection, jetstream: JetStreamContext) -> bool:
        finding = await self._finding(connection, jetstream)
        if not self.feed_checked.is_set():
            await self._check_feed(connection, jetstream)
            self.feed_checked.set()
        if finding is None:
            return False
        metrics.RECONCILER_FINDINGS.labels(finding).inc()
        log.error("the stream %s is not as it was: %s", self._stream, finding)
        return True

    async def _finding(self, connection: asyncpg.Connection, jetstream: JetStreamContext) -> str | None:
        """What shows, without reading it, that the stream has lost something."""
        repeated = self._doubted.is_set()
        self._doubted.clear()
        state = await connection.fetchrow(_STATE)
        try:
            info = await jetstream.stream_info(self._stream)
        except NotFoundError:
            await ensure_stream(jetstream, self._stream, STREAMS[self._stream])
            return "stream_missing"
        if state["stream_created"] not in (None, info.created):
            return "stream_recreated"
        if info.state.last_seq < state["stream_sequence"]:
            return "stream_shortened"
        seen, self._seen = self._seen, info.state.last_seq
        if 0 < seen < info.state.first_seq:
            return "stream_emptied"
        return "numbers_repeated" if repeated else None

    async def _check_feed(self, connection: asyncpg.Connection, jetstream: JetStreamContext) -> None:
        """Before anything is published: does the stream end with a position that this database has never given?"""
        try:
            last = await jetstream.get_last_msg(self._stream, STREAMS[self._stream])
        except NotFoundError:
            return
        state = await connection.fetchrow(_STATE)
        feed, position = position_of(last) or (None, 0)
        if feed == state["feed_id"]:
            await self._renew_feed(connection, state, position)

    async def _renew_feed(self, connection: asyncpg.Connection, state: Any, position: int) -> bool:
        """Give the outbox a new feed id if the stream knows later positions: the database was put back in time.

        Positions are given again for other events, so whoever follows the feed must start again.
        """
        if (await connection.execute(_RENEW, position)) == "UPDATE 0":
            return False
        metrics.RECONCILER_FINDINGS.labels("feed_ahead").inc()
        log.error(
            "the stream holds position %d of feed %s, the database has given %d: it is older than its stream; "
            "the feed has a new id, and projections need a rebuild from the services",
            *(position, state["feed_id"], state["position"]),
        )
        return True

    async def _reconcile(self, connection: asyncpg.Connection, client: Client) -> None:
        state = await connection.fetchrow(_STATE)
        info = await client.jetstream().stream_info(self._stream)
        held = await self._held(client, state, info)
        if await self._renew_feed(connection, state, held.newest):
            state = await connection.fetchrow(_STATE)
            held = Positions()
        await self._send_missing(connection, client, state, held)
        done = await connection.fetchval(_DONE, info.created, info.state.last_seq)
        metrics.RECONCILER_SUCCESS.set(done.timestamp())

    async def _held(self, client: Client, state: Any, info: StreamInfo) -> Positions:
        """Positions of our feed on the stream; only headers are read."""
        held = Positions()
        if state["published"] and info.state.messages:
            first, last = info.state.first_seq, info.state.last_seq
            async for batch in read(client, self._stream, first, last, headers_only=True):
                for message in batch:
                    feed, position = position_of(message) or (None, 0)
                    if feed == state["feed_id"]:
                        held.add(position)
        return held

    async def _send_missing(self, connection: asyncpg.Connection, client: Client, state: Any, held: Positions) -> None:
        after, total = 0, 0
        while rows := await connection.fetch(_POSITIONS, after, state["published"], _POSITIONS_AT_ONCE):
            after = rows[-1]["position"]
            missing = [row["position"] for row in rows if row["position"] not in held]
            for start in range(0, len(missing), _SEND_AT_ONCE):
                lost = await connection.fetch(_ROWS, missing[start : start + _SEND_AT_ONCE])
                await _send_again(client, state, lost)
                # counted when it is done: a full stream refuses it again and again
                metrics.RECONCILER_FINDINGS.labels("missing").inc(len(lost))
                metrics.RECONCILER_REPUBLISHED.inc(len(lost))
            total += len(missing)
        if total:
            log.error("published %d events again that the stream %s had lost", total, self._stream)


async def _send_again(client: Client, state: Any, rows: Sequence[Any]) -> None:
    answers = _accepted(await send(client, state, rows))
    # within its window a stream remembers the ids of messages that it no longer holds, and refuses them as duplicates
    refused = [row for row, answer in zip(rows, answers, strict=True) if answer.duplicate]
    if refused:
        _accepted(await send(client, state, refused, suffix=f":{uuid7()}"))


def _accepted(answers: Sequence[PubAck | Exception]) -> list[PubAck]:
    accepted = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        accepted.append(answer)
    return accepted
