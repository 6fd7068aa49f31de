"""Consumes events in one order: decode, inbox, effect, commit, acknowledge. Every effect happens once.

An event that cannot be handled becomes a dead letter and does not hold up the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import nats
import sqlalchemy as sa
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, UndecodableEvent, decode
from kit import metrics
from kit.bus import Bus
from kit.database import Database
from kit.problems import is_database_away

log = logging.getLogger(__name__)

Handler = Callable[[AsyncSession, Sequence[Event]], Awaitable[None]]
"""Applies events, all of them or (by raising) none, within the transaction it is given."""

_BATCH = 500
_FETCH_SECONDS = 5.0
_ACK_WAIT_SECONDS = 60.0
_MAX_ATTEMPTS = 8
_RETRY_SECONDS = 1.0
_MAX_DELAY_SECONDS = 300.0

_REMEMBER = sa.text(
    "INSERT INTO inbox (consumer, event_id) SELECT :consumer, unnest(cast(:ids AS uuid[])) "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_BURY = sa.text(
    "INSERT INTO dead_letters (consumer, subject, stream_sequence, body, reason, attempts) "
    "VALUES (:consumer, :subject, :sequence, :body, :reason, :attempts) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True)
class Subscription:
    """A durable consumer of one stream."""

    durable: str
    stream: str
    subject: str
    handle: Handler


@dataclass(frozen=True)
class _Delivery:
    message: Msg
    event: Event


class Consumer:
    """Runs one subscription. Several processes may run the same one; JetStream shares the messages out."""

    def __init__(self, subscription: Subscription, bus: Bus, database: Database) -> None:
        self._what = subscription
        self._bus = bus
        self._database = database

    async def run(self) -> None:
        """Consume until cancelled; whatever fails is tried again."""
        while True:
            try:
                jetstream = await self._bus.jetstream()
                await self._consume(jetstream)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("consumer %s lost the stream: %s", self._what.durable, type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _consume(self, jetstream: JetStreamContext) -> None:
        config = ConsumerConfig(
            durable_name=self._what.durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_SECONDS,
            max_ack_pending=4 * _BATCH,
        )
        subscription = await jetstream.pull_subscribe(
            self._what.subject, durable=self._what.durable, stream=self._what.stream, config=config
        )
        while True:
            try:
                messages = await subscription.fetch(_BATCH, timeout=_FETCH_SECONDS)
            except TimeoutError:
                continue
            await self._take(messages)

    async def _take(self, messages: list[Msg]) -> None:
        """One batch: all in one transaction; where that fails, one by one, so that only the culprit waits."""
        deliveries = [d for d in [await self._decode(message) for message in messages] if d is not None]
        if not deliveries or await self._apply(deliveries, alone=len(deliveries) == 1):
            return
        for delivery in deliveries:
            await self._apply([delivery], alone=True)

    async def _decode(self, message: Msg) -> _Delivery | None:
        try:
            return _Delivery(message, decode(message.data))
        except UndecodableEvent as error:
            await self._bury(message, str(error))
            return None

    async def _apply(self, deliveries: list[_Delivery], *, alone: bool) -> bool:
        """Effect and inbox in one transaction, then acknowledge. False: try them one by one."""
        try:
            fresh = await self._effect(deliveries)
        except Exception as error:  # noqa: BLE001 - any defect of a handler must neither lose nor block events
            return await self._on_failure(deliveries, error, alone=alone)
        await asyncio.gather(*(delivery.message.ack() for delivery in deliveries))
        self._count(deliveries, fresh)
        return True

    async def _effect(self, deliveries: list[_Delivery]) -> set[object]:
        async with self._database.transaction() as session:
            ids = [delivery.event.id for delivery in deliveries]
            rows = await session.execute(_REMEMBER, {"consumer": self._what.durable, "ids": ids})
            fresh: set[object] = set(rows.scalars())
            seen: set[object] = set()
            events = []
            for delivery in deliveries:
                if delivery.event.id in fresh and delivery.event.id not in seen:
                    seen.add(delivery.event.id)
                    events.append(delivery.event)
            if events:
                await self._what.handle(session, events)
        return fresh

    async def _on_failure(self, deliveries: list[_Delivery], error: Exception, *, alone: bool) -> bool:
        if is_database_away(error):
            log.warning("consumer %s waits for the database: %s", self._what.durable, type(error).__name__)
            await self._retry_later(deliveries)
            await asyncio.sleep(_RETRY_SECONDS)
            return True
        if not alone:
            return False
        (delivery,) = deliveries
        log.error("event %s failed", delivery.event.id, exc_info=error, extra={"event_type": delivery.event.type})
        if delivery.message.metadata.num_delivered >= _MAX_ATTEMPTS:
            await self._bury(delivery.message, f"{type(error).__name__}: {error}"[:2000])
        else:
            await self._retry_later(deliveries)
        return True

    async def _retry_later(self, deliveries: list[_Delivery]) -> None:
        # a bare nak() would ignore any backoff and redeliver at once
        for delivery in deliveries:
            attempt = delivery.message.metadata.num_delivered
            await delivery.message.nak(delay=min(_RETRY_SECONDS * 2 ** (attempt - 1), _MAX_DELAY_SECONDS))
        metrics.EVENTS.labels(self._what.durable, "retried").inc(len(deliveries))

    async def _bury(self, message: Msg, reason: str) -> None:
        """Put a poisonous event aside with its reason; acknowledged only once that is stored."""
        row = {
            "consumer": self._what.durable,
            "subject": message.subject,
            "sequence": message.metadata.sequence.stream,
            "body": message.data,
            "reason": reason,
            "attempts": message.metadata.num_delivered,
        }
        try:
            async with self._database.transaction() as session:
                await session.execute(_BURY, row)
        except Exception:
            log.exception("dead letter not stored, will be tried again")
            await message.nak(delay=_RETRY_SECONDS)
            return
        await message.ack()
        metrics.EVENTS.labels(self._what.durable, "dead").inc()
        metrics.DEAD_LETTERS.labels(self._what.durable).inc()

    def _count(self, deliveries: list[_Delivery], fresh: set[object]) -> None:
        now = datetime.now(UTC)
        age = metrics.EVENT_AGE.labels(self._what.durable)
        for delivery in deliveries:
            if delivery.event.id in fresh:
                age.observe(max(0.0, (now - delivery.event.time).total_seconds()))
        repeated = len(deliveries) - len(fresh)
        metrics.EVENTS.labels(self._what.durable, "ok").inc(len(fresh))
        metrics.EVENTS.labels(self._what.durable, "duplicate").inc(repeated)
