"""Consumes events in one order: decode, inbox, effect, commit, acknowledge. Every effect happens once.

An event that cannot be handled becomes a dead letter and does not hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
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
from kit import failpoints, metrics
from kit.bus import Bus
from kit.database import Database
from kit.problems import is_database_away
from kit.settings import ServiceSettings

log = logging.getLogger(__name__)

Handler = Callable[[AsyncSession, Sequence[Event]], Awaitable[int]]
"""Applies events, all of them or (by raising) none, within the transaction it is given.

Answers how many of them were stale: something newer was there already, and they changed nothing.
"""

_BATCH = 500
_FETCH_SECONDS = 1.0
_INSPECT_EVERY_SECONDS = 10.0
_NEVER = float("-inf")
_WAIT_SECONDS = 1.0
_MAX_DELAY_SECONDS = 300.0

_REMEMBER = sa.text(
    "INSERT INTO inbox (consumer, event_id) SELECT :consumer, unnest(cast(:ids AS uuid[])) "
    "ON CONFLICT DO NOTHING RETURNING event_id"
)
_BURY = sa.text(
    "INSERT INTO dead_letters (consumer, subject, region_code, stream_sequence, body, digest, reason, attempts) "
    "VALUES (:consumer, :subject, :region, :sequence, :body, :digest, :reason, :attempts) "
    "ON CONFLICT (consumer, digest) WHERE outcome IS NULL DO UPDATE SET reason = excluded.reason, "
    "attempts = dead_letters.attempts + excluded.attempts, failed_at = now()"
)
_REGION = re.compile(r"\.v\d+\.(\d\d(?:\.\d\d(?:\.\d\d(?:\.\d{4})?)?)?)$")


@dataclass(frozen=True)
class Subscription:
    """A durable consumer of one stream."""

    durable: str
    stream: str
    subject: str
    handle: Handler


@dataclass(frozen=True)
class Retries:
    """How often and how soon an event that fails is tried again."""

    attempts: int = 8
    seconds: float = 1.0
    ack_seconds: float = 30.0

    @classmethod
    def of(cls, settings: ServiceSettings) -> Retries:
        """As the process is told."""
        return cls(settings.event_attempts, settings.event_retry_seconds, settings.event_ack_seconds)

    def delay(self, delivered: int) -> float:
        """Seconds to wait after the given number of deliveries."""
        return float(min(self.seconds * 2 ** (delivered - 1), _MAX_DELAY_SECONDS))


@dataclass(frozen=True)
class _Delivery:
    message: Msg
    event: Event

    @property
    def attempt(self) -> int:
        return int(self.message.metadata.num_delivered)


class Consumer:
    """Runs one subscription. Several processes may run the same one; JetStream shares the messages out."""

    def __init__(
        self, subscription: Subscription, bus: Bus, database: Database, retries: Retries | None = None
    ) -> None:
        self._what = subscription
        self._bus = bus
        self._database = database
        self._retries = retries or Retries()
        self._ending = False
        self._inspected = _NEVER
        self.bound = False
        """Whether this process takes events from the stream just now."""
        self.waits = False
        """Whether it holds events for which the database is away."""
        self.pending: int | None = None
        """Events that are not yet acknowledged, when last asked; None while unknown."""
        metrics.expect_consumer(subscription.durable)

    @property
    def name(self) -> str:
        """Its durable name."""
        return self._what.durable

    def end(self) -> None:
        """Let `run` return once the batch in hand is done, so that nothing is left for a redelivery."""
        self._ending = True

    async def run(self) -> None:
        """Consume until told to end, or cancelled; whatever fails is tried again."""
        while not self._ending:
            try:
                jetstream = await self._bus.jetstream()
                await self._consume(jetstream)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("consumer %s lost the stream: %s", self._what.durable, type(error).__name__)
                await asyncio.sleep(_WAIT_SECONDS)

    async def _consume(self, jetstream: JetStreamContext) -> None:
        config = ConsumerConfig(
            durable_name=self._what.durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._retries.ack_seconds,
            max_ack_pending=4 * _BATCH,
            filter_subject=self._what.subject,
        )
        await jetstream.add_consumer(self._what.stream, config)
        subscription = await jetstream.pull_subscribe_bind(durable=self._what.durable, stream=self._what.stream)
        self._inspected = _NEVER
        self._set_bound(True)
        try:
            while not self._ending:
                await self._inspect(jetstream)
                try:
                    messages = await subscription.fetch(_BATCH, timeout=_FETCH_SECONDS)
                except TimeoutError:
                    continue
                await self._take(messages)
        finally:
            self._set_bound(False)
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def _set_bound(self, bound: bool) -> None:
        self.bound, self.pending = bound, None
        metrics.CONSUMER_BOUND.labels(self.name).set(float(bound))
        metrics.CONSUMER_PENDING.labels(self.name).set(metrics.UNKNOWN)

    async def _inspect(self, jetstream: JetStreamContext) -> None:
        """Measure now and then how far behind we are; raises where stream or consumer are gone: both are made anew."""
        now = asyncio.get_running_loop().time()
        if now - self._inspected < _INSPECT_EVERY_SECONDS:
            return
        found = await jetstream.consumer_info(self._what.stream, self._what.durable)
        self._inspected = now
        self.pending = (found.num_pending or 0) + (found.num_ack_pending or 0)
        metrics.CONSUMER_PENDING.labels(self.name).set(self.pending)

    async def _take(self, messages: list[Msg]) -> None:
        deliveries = [d for d in [await self._decode(message) for message in messages] if d is not None]
        if deliveries:
            await self._apply(deliveries)

    async def _decode(self, message: Msg) -> _Delivery | None:
        try:
            return _Delivery(message, decode(message.data))
        except UndecodableEvent as error:
            await self._bury(message, str(error))
            return None

    async def _apply(self, deliveries: list[_Delivery]) -> None:
        """Effect and inbox in one transaction, then acknowledge; a batch that fails is halved down to the culprit."""
        try:
            fresh, stale = await self._effect_when_possible(deliveries)
        except Exception as error:  # noqa: BLE001 - any defect of a handler must neither lose nor block events
            if len(deliveries) == 1:
                await self._on_failure(deliveries[0], error)
                return
            middle = len(deliveries) // 2
            await self._apply(deliveries[:middle])
            await self._apply(deliveries[middle:])
            return
        failpoints.reach("before_ack")
        await asyncio.gather(*(delivery.message.ack() for delivery in deliveries))
        failpoints.reach("after_ack")
        self._count(deliveries, fresh, stale)

    async def _effect_when_possible(self, deliveries: list[_Delivery]) -> tuple[set[object], int]:
        """The effect; while the database is away the messages are kept in hand, so that its absence is nobody's fault."""
        try:
            while True:
                try:
                    return await self._effect(deliveries)
                except Exception as error:
                    if not is_database_away(error) or self._ending:
                        raise
                    log.warning("consumer %s waits for the database: %s", self._what.durable, type(error).__name__)
                self.waits = True
                await self._hold(deliveries)
                await asyncio.sleep(_WAIT_SECONDS)
        finally:
            self.waits = False

    async def _hold(self, deliveries: list[_Delivery]) -> None:
        """Tell the stream that we still have the messages, and look how many come behind them."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            await asyncio.gather(*(delivery.message.in_progress() for delivery in deliveries))
            await self._inspect(await self._bus.jetstream())

    async def _effect(self, deliveries: list[_Delivery]) -> tuple[set[object], int]:
        """Ids of the events that were new here, and how many of those were stale."""
        async with self._database.transaction() as session:
            ids = [delivery.event.id for delivery in deliveries]
            rows = await session.execute(_REMEMBER, {"consumer": self._what.durable, "ids": ids})
            fresh: set[object] = set(rows.scalars())
            events = {delivery.event.id: delivery.event for delivery in deliveries if delivery.event.id in fresh}
            stale = await self._what.handle(session, list(events.values())) if events else 0
        return fresh, stale

    async def _on_failure(self, delivery: _Delivery, error: Exception) -> None:
        if is_database_away(error):  # and we are ending: another process takes it at once
            await delivery.message.nak()
            return
        log.error("event %s failed", delivery.event.id, exc_info=error, extra={"event_type": delivery.event.type})
        if delivery.attempt >= self._retries.attempts:
            await self._bury(delivery.message, f"{type(error).__name__}: {error}"[:2000])
            return
        # a bare nak() would ignore any backoff and redeliver at once
        await delivery.message.nak(delay=self._retries.delay(delivery.attempt))
        metrics.EVENTS.labels(self._what.durable, "retried").inc()

    async def _bury(self, message: Msg, reason: str) -> None:
        """Put a poisonous event aside with its reason; acknowledged only once that is stored."""
        region = _REGION.search(message.subject)
        row = {
            "consumer": self._what.durable,
            "subject": message.subject,
            "region": region[1] if region else None,
            "sequence": message.metadata.sequence.stream,
            "body": message.data,
            "digest": hashlib.sha256(message.data).digest(),
            "reason": reason,
            "attempts": message.metadata.num_delivered,
        }
        try:
            async with self._database.transaction() as session:
                await session.execute(_BURY, row)
        except Exception:
            log.exception("dead letter not stored, will be tried again")
            await message.nak(delay=self._retries.seconds)
            return
        await message.ack()
        metrics.EVENTS.labels(self._what.durable, "dead").inc()
        metrics.DEAD_LETTERS.labels(self._what.durable).inc()

    def _count(self, deliveries: list[_Delivery], fresh: set[object], stale: int) -> None:
        now = datetime.now(UTC)
        age = metrics.EVENT_AGE.labels(self._what.durable)
        for delivery in deliveries:
            if delivery.event.id in fresh:
                age.observe(max(0.0, (now - delivery.event.time).total_seconds()))
        counted = {"ok": len(fresh) - stale, "stale": stale, "duplicate": len(deliveries) - len(fresh)}
        for result, number in counted.items():
            metrics.EVENTS.labels(self._what.durable, result).inc(number)
