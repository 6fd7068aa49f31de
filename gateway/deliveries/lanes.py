"""Sends what is due: one message at a time for each webhook, many webhooks at once.

A lane is one webhook's. Each step of it is one transaction (what became of the last message, who the owner is now, what
comes next) and then the sending, outside of any transaction: who is killed between the two sends that message again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deliveries import actions, metrics, store
from gateway.deliveries.schemas import DeliveryState, Outcome
from gateway.deliveries.sending import Sender, Sent
from gateway.deliveries.tables import WebhookDelivery
from gateway.webhooks import actions as webhooks
from gateway.webhooks.owners import standing
from gateway.webhooks.rules import signature
from gateway.webhooks.schemas import Reason
from gateway.webhooks.tables import Webhook
from gateway.webhooks.vault import SecretUnreadable, Vault
from kit import clock, failpoints
from kit.access import Caller
from kit.database import Database
from kit.problems import is_database_away
from kit.tasks import stop

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_SLOW_SECONDS = 3.0
"""An attempt that takes longer makes its receiver a slow one."""
UNREADABLE_SECONDS = 3600.0
"""How long a secret may be under a key that this process does not have before its webhook is paused: longer than the
gateways' restart with another key file takes. Nothing is lost meanwhile, and operators are told within minutes."""
_LOOK_AGAIN_SECONDS = 15.0

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True)
class Room:
    """How many attempts there are at once: to one host, to receivers that are well, to those that are slow or fail."""

    host: int = 4
    well: int = 32
    unwell: int = 16


@dataclass(frozen=True)
class Work:
    """One message on its way."""

    delivery: int
    url: str
    message: UUID
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    well: bool

    def headers(self) -> dict[str, str]:
        """The headers of Standard Webhooks, signed for this moment."""
        now = int(clock.now().timestamp())
        return {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": str(self.message),
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self.secrets, str(self.message), now, self.body),
        }


@dataclass(frozen=True)
class _Unreadable:
    """A webhook whose secret this process cannot read. Times are monotonic."""

    since: float
    again: float
    """When it is looked at again."""


class Doors:
    """Lets attempts begin. Slow and failing receivers have places of their own, so that they take none of the others'."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._well = asyncio.Semaphore(room.well)
        self._unwell = asyncio.Semaphore(room.unwell)
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def place(self, host: str, *, well: bool) -> AsyncIterator[None]:
        """A place for one attempt."""
        semaphore, users = self._hosts.get(host, (asyncio.Semaphore(self._room.host), 0))
        self._hosts[host] = (semaphore, users + 1)
        try:
            # the host's first: who waits for a host takes no place from those who do not
            async with semaphore, self._well if well else self._unwell:
                yield
        finally:
            _, users = self._hosts[host]
            if users == 1:
                del self._hosts[host]
            else:
                self._hosts[host] = (semaphore, users - 1)


class Lanes:
    """Runs a lane for every webhook that has something to send."""

    def __init__(
        self, database: Database, vault: Vault, new_sender: Callable[[], Sender], room: Room | None = None
    ) -> None:
        self._database = database
        self._vault = vault
        self._new_sender = new_sender
        self._doors = Doors(room or Room())
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._unreadable: dict[UUID, _Unreadable] = {}
        self.wake = asyncio.Event()
        """Set when something may be due."""

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            Exception: the database is away.
        """
        try:
            while True:
                self.wake.clear()
                await self._start_due()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), _POLL_SECONDS)
        finally:
            await stop(self._running.values())

    async def _start_due(self) -> None:
        async with self._database.transaction() as session:
            due = await store.due(session, clock.now())
        for number in due:
            if number not in self._running and not self._rests(number):
                task = asyncio.create_task(self._lane(number))
                self._running[number] = task
                task.add_done_callback(lambda _task, number=number: self._ended(number))  # type: ignore[misc]  # a default

    def _rests(self, number: UUID) -> bool:
        unreadable = self._unreadable.get(number)
        return unreadable is not None and time.monotonic() < unreadable.again

    def _ended(self, number: UUID) -> None:
        task = self._running.pop(number)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a webhook's lane broke off", exc_info=error, extra={"webhook": str(number)})
        else:
            self.wake.set()  # something may have become due while it ended

    async def _lane(self, number: UUID) -> None:
        sender, well, done = self._new_sender(), True, None
        try:
            while (work := await self._step(number, done)) is not None:
                sent = await self._send(sender, work, well=well and work.well)
                well = sent.seconds < _SLOW_SECONDS
                done = (work.delivery, sent)
        except Exception as error:
            if not is_database_away(error):
                raise
            log.warning("a webhook's lane lost its database: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await sender.close()

    async def _send(self, sender: Sender, work: Work, *, well: bool) -> Sent:
        host = work.url.split("/", 3)[2]
        async with self._doors.place(host, well=well):
            sent = await sender.send(work.url, work.headers(), work.body)
        metrics.ATTEMPTS.labels(sent.outcome.value).inc()
        metrics.ATTEMPT_SECONDS.observe(sent.seconds)
        return sent

    async def _step(self, number: UUID, done: tuple[int, Sent] | None) -> Work | None:
        """Note what became of the last message, and take the next; None where nothing is due."""
        async with asyncio.timeout(self._database.request_seconds), self._database.transaction() as session:
            webhook = await store.lock_webhook(session, number)
            if webhook is None:
                return None
            if done is not None:
                session.info[failpoints.MATTERS] = True
                await self._note(session, webhook, *done)
            return await self._next(session, webhook)

    async def _note(self, session: AsyncSession, webhook: Webhook, number: int, sent: Sent) -> None:
        delivery = await store.find_waiting(session, number)
        if delivery is None:
            return  # skipped, or sent by another leader, while this one was on its way
        await actions.note_attempt(session, webhook, delivery, sent)
        if delivery.state != DeliveryState.WAITING and delivery.queue != "ping":
            metrics.DELIVERIES.labels(delivery.state).inc()
        if sent.outcome is not Outcome.DELIVERED:
            log.info(
                "a webhook's message was not taken",
                extra={"webhook": str(webhook.id), "outcome": sent.outcome.value, "status": sent.status},
            )

    async def _next(self, session: AsyncSession, webhook: Webhook) -> Work | None:
        owner = await standing(session, webhook.owner_id)
        if isinstance(owner, Reason):
            if webhook.state != "ended":
                await webhooks.end_webhook(session, webhook, owner)
            return None
        try:
            secrets = self._secrets(webhook)
        except SecretUnreadable:
            await self._without_secret(session, webhook)
            return None
        self._unreadable.pop(webhook.id, None)
        while (found := await store.next_of(session, webhook, clock.now())) is not None:
            delivery, message = found
            if _may_see(owner, message.region_code):
                return Work(delivery.id, webhook.url, message.id, message.body, secrets, not webhook.failures)
            await self._withhold(session, delivery)
        return None

    async def _without_secret(self, session: AsyncSession, webhook: Webhook) -> None:
        """Wait for a process that has the key, or for the key file to be put right; pause it when that takes too long."""
        now = time.monotonic()
        since = self._unreadable[webhook.id].since if webhook.id in self._unreadable else now
        log.error("a webhook's secret cannot be read", extra={"webhook": str(webhook.id)})
        if now - since < UNREADABLE_SECONDS:
            self._unreadable[webhook.id] = _Unreadable(since, now + _LOOK_AGAIN_SECONDS)
            return
        self._unreadable.pop(webhook.id, None)
        webhooks.halt(webhook, Reason.SECRET_UNREADABLE)
        await store.end_pings(session, webhook.id, clock.now())
        session.add(webhook)

    async def _withhold(self, session: AsyncSession, delivery: WebhookDelivery) -> None:
        delivery.state, delivery.ended_at = DeliveryState.SKIPPED.value, clock.now()
        session.add(delivery)
        await session.flush()
        metrics.DELIVERIES.labels(delivery.state).inc()

    def _secrets(self, webhook: Webhook) -> tuple[str, ...]:
        """Those that are valid now, the newest first."""
        secrets = [self._vault.unseal(webhook.secret, webhook.id)]
        previous, until = webhook.previous_secret, webhook.previous_until
        if previous is not None and until is not None and until > clock.now():
            secrets.append(self._vault.unseal(previous, webhook.id))
        return tuple(secrets)


def _may_see(owner: Caller, region_code: str | None) -> bool:
    """A ping and a notice are about no region."""
    return region_code is None or owner.within(region_code)
