"""Consumes events in one order: decode, inbox, effect, commit, acknowledge. Every effect happens once.

An event that cannot be handled becomes a dead letter and does not hold up the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, UndecodableEvent, decode
from kit import failpoints, metrics, projection_lock
from kit.bus import NATS_AWAY, Bus
from kit.database import CONNECT_SECONDS, Database
from kit.dead_letters.store import Letter, bury
from kit.problems import is_database_away, took_too_long
from kit.settings import ServiceSettings
from kit.stream import Puller, written_at
from kit.tasks import stop

log = logging.getLogger(__name__)

T = TypeVar("T")
Handler = Callable[[AsyncSession, Sequence[Event]], Awaitable[int]]
"""Applies events, all of them or (by raising) none, within the transaction it is given.

Answers how many of them were stale: something newer was there already, and they changed nothing.
"""

_PULL_SECONDS = 1.0
_INSPECT_EVERY_SECONDS = 10.0
_NEVER = float("-inf")
_WAIT_SECONDS = 1.0
_MAX_DELAY_SECONDS = 300.0
_MAX_DOUBLINGS = 20
_SLOW_ATTEMPTS = 3
_MAX_ACK_PENDING = 50_000
"""Events that wait to be tried again count as well: while this many do, nothing else is delivered."""

_REMEMBER = sa.text(
    "INSERT INTO inbox (consumer, event_id) SELECT :consumer, unnest(cast(:ids AS uuid[])) "
    "ON CONFLICT DO NOTHING RETURNING event_id"
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
        return float(min(self.seconds * 2 ** min(delivered - 1, _MAX_DOUBLINGS), _MAX_DELAY_SECONDS))


@dataclass(frozen=True)
class _Delivery:
    message: Msg
    event: Event

    @property
    def attempt(self) -> int:
        return int(self.message.metadata.num_delivered)

    @property
    def written(self) -> datetime:
        return written_at(self.message) or self.event.time


async def apply_once(
    session: AsyncSession, subscription: Subscription, events: Sequence[Event]
) -> tuple[set[object], int]:
    """Inbox rows and effect of events, within the transaction given: both or neither.

    Answers the ids of those that were new to this consumer, and how many of these were stale. Whoever else is
    handling one of them just now is waited for.
    """
    await projection_lock.take_shared(session)
    parameters = {"consumer": subscription.durable, "ids": [event.id for event in events]}
    fresh: set[object] = set((await session.execute(_REMEMBER, parameters)).scalars())
    new = {event.id: event for event in events if event.id in fresh}
    stale = await subscription.handle(session, list(new.values())) if new else 0
    session.info[failpoints.MATTERS] = True
    failpoints.reach("after_flush")
    return fresh, stale


def reason_of(error: Exception) -> str:
    """Why an event could not be handled, for operators; of a database's error without the statement and its values."""
    if isinstance(error, UndecodableEvent):
        return str(error)
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
        return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
    return f"{type(error).__name__}: {error}"


class TooSlow(Exception):
    """The effect of events takes longer than a statement may, though nothing keeps it from being done."""


class Consumer:
    """Runs one subscription. Several processes may run the same one; JetStream shares the messages out."""

    def __init__(
        self,
        subscription: Subscription,
        bus: Bus,
        database: Database,
        retries: Retries | None = None,
        on_dead_letter: Callable[[], None] = lambda: None,
        is_paused: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._what = subscription
        self._bus = bus
        self._database = database
        self._retries = retries or Retries()
        self._on_dead_letter = on_dead_letter
        self._is_paused = is_paused
        self._ending = False
        self._inspected = _NEVER
        self.bound = False
        """Whether this process takes events from the stream just now."""
        self.paused = False
        """Whether it holds events until a rebuild has written."""
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
            except NATS_AWAY as error:
                log.warning("consumer %s lost the stream: %s", self._what.durable, str(error) or type(error).__name__)
                await asyncio.sleep(_WAIT_SECONDS)

    async def _consume(self, jetstream: JetStreamContext) -> None:
        config = ConsumerConfig(
            durable_name=self._what.durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._retries.ack_seconds,
            max_ack_pending=_MAX_ACK_PENDING,
            filter_subject=self._what.subject,
        )
        await jetstream.add_consumer(self._what.stream, config)
        self._inspected = _NEVER
        async with Puller(await self._bus.client(), self._what.stream, self._what.durable).listening() as puller:
            self._set_bound(True)
            try:
                while not self._ending:
                    await self._inspect(jetstream)
                    if messages := await puller.pull(_PULL_SECONDS):
                        await self._take(messages)
            finally:
                self._set_bound(False)

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
        async with _in_hand(messages, self._retries.ack_seconds / 3):
            if await self._is_still_paused():
                await asyncio.gather(*(message.nak() for message in messages))
                return
            deliveries = [d for d in [await self._decode(message) for message in messages] if d is not None]
            if deliveries:
                await self._apply(deliveries)

    async def _is_still_paused(self) -> bool:
        """Wait while events must not have their effect; True when we are to end before they may."""
        try:
            while self._is_paused is not None and await self._when_possible(self._is_paused):
                if self._ending:
                    return True
                self.paused = True
                await self._wait()
        finally:
            self.paused = False
        return False

    async def _decode(self, message: Msg) -> _Delivery | None:
        try:
            return _Delivery(message, decode(message.data))
        except Exception as error:  # noqa: BLE001 - whatever the bytes do to the decoder, the next message is read
            await self._bury(message, reason_of(error))
            return None

    async def _apply(self, deliveries: list[_Delivery]) -> None:
        """Effect and inbox in one transaction, then acknowledge; a batch that fails is halved down to the culprit."""
        failure = await self._try(deliveries)
        if failure is None:
            return
        if is_database_away(failure):  # and we are ending: another process takes them at once
            await asyncio.gather(*(delivery.message.nak() for delivery in deliveries))
        elif len(deliveries) == 1:
            await self._on_failure(deliveries[0], failure)
        else:
            middle = len(deliveries) // 2
            await self._apply(deliveries[:middle])
            await self._apply(deliveries[middle:])

    async def _try(self, deliveries: list[_Delivery]) -> Exception | None:
        """What went wrong, if something did: any defect of a handler must neither lose nor block events."""
        try:
            fresh, stale = await self._when_possible(lambda: self._effect(deliveries), _SLOW_ATTEMPTS)
        except Exception as error:  # noqa: BLE001 - as said
            return error
        self._count(deliveries, fresh, stale)
        failpoints.reach("before_ack")
        await asyncio.gather(*(delivery.message.ack() for delivery in deliveries))
        failpoints.reach("after_ack")
        return None

    async def _when_possible(self, work: Callable[[], Awaitable[T]], slow_attempts: int | None = None) -> T:
        """Do it; while the database is away the messages are kept in hand, so that its absence is nobody's fault.

        Raises:
            TooSlow: so many attempts in a row took too long, each time on a database that could have done it.
        """
        slow = 0
        try:
            while True:
                try:
                    return await work()
                except Exception as error:
                    if not is_database_away(error) or self._ending:
                        raise
                    log.warning("consumer %s waits for the database: %s", self._what.durable, type(error).__name__)
                    slow = slow + 1 if took_too_long(error) and await self._could_work() else 0
                    if slow == slow_attempts:
                        raise TooSlow(f"not done within a statement's limit, {slow} times") from error
                self.waits = True
                await self._wait()
        finally:
            self.waits = False

    async def _could_work(self) -> bool:
        """Whether effects are possible just now: the database answers, and no rebuild is writing."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS), self._database.transaction() as session:
                await projection_lock.take_shared(session)
        except Exception:  # noqa: BLE001 - whatever it is, the events are not to blame
            return False
        return True

    async def _wait(self) -> None:
        """Wait a moment with messages in hand, and go on measuring how far behind we are."""
        with contextlib.suppress(*NATS_AWAY):
            await self._inspect(await self._bus.jetstream())
        await asyncio.sleep(_WAIT_SECONDS)

    async def _effect(self, deliveries: list[_Delivery]) -> tuple[set[object], int]:
        async with self._database.transaction() as session:
            return await apply_once(session, self._what, [delivery.event for delivery in deliveries])

    async def _on_failure(self, delivery: _Delivery, error: Exception) -> None:
        log.error("event %s failed", delivery.event.id, exc_info=error, extra={"event_type": delivery.event.type})
        if delivery.attempt >= self._retries.attempts:
            await self._bury(delivery.message, reason_of(error))
            return
        # a bare nak() would ignore any backoff and redeliver at once
        await delivery.message.nak(delay=self._retries.delay(delivery.attempt))
        metrics.EVENTS.labels(self._what.durable, "retried").inc()

    async def _bury(self, message: Msg, reason: str) -> None:
        """Put a poisonous event aside with its reason; acknowledged only once that is stored."""
        region = _REGION.search(message.subject)
        letter = Letter(
            consumer=self.name,
            subject=message.subject,
            region_code=region[1] if region else None,
            stream_sequence=message.metadata.sequence.stream,
            body=message.data,
            reason=reason,
            attempts=message.metadata.num_delivered,
        )
        try:
            await self._when_possible(lambda: self._put_aside(letter))
        except Exception:
            log.exception("dead letter not stored, will be tried again")
            await message.nak(delay=self._retries.delay(letter.attempts))
            return
        await message.ack()
        metrics.EVENTS.labels(self.name, "dead").inc()
        metrics.DEAD_LETTERS.labels(self.name).inc()
        self._on_dead_letter()

    async def _put_aside(self, letter: Letter) -> None:
        async with self._database.transaction() as session:
            await bury(session, letter)

    def _count(self, deliveries: list[_Delivery], fresh: set[object], stale: int) -> None:
        now = datetime.now(UTC)
        age = metrics.EVENT_AGE.labels(self._what.durable)
        for delivery in deliveries:
            if delivery.event.id in fresh:
                age.observe(max(0.0, (now - delivery.written).total_seconds()))
        counted = {"ok": len(fresh) - stale, "stale": stale, "duplicate": len(deliveries) - len(fresh)}
        for result, number in counted.items():
            metrics.EVENTS.labels(self._what.durable, result).inc(number)


@contextlib.asynccontextmanager
async def _in_hand(messages: Sequence[Msg], seconds: float) -> AsyncIterator[None]:
    """Tell the stream every so many seconds that the messages are being worked on.

    Else a database that answers slowly makes it deliver them again, and every delivery counts as an attempt. Where the
    work breaks off, or is not done in time when the process ends, they are given back for another to take at once.
    """
    telling = asyncio.create_task(_keep_telling(messages, seconds))
    try:
        yield
    except BaseException:
        with contextlib.suppress(*NATS_AWAY):
            await asyncio.gather(*(message.nak() for message in messages if not message.is_acked))
        raise
    finally:
        await stop([telling])


async def _keep_telling(messages: Sequence[Msg], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        with contextlib.suppress(*NATS_AWAY):
            await asyncio.gather(*(message.in_progress() for message in messages if not message.is_acked))
