"""What can be done to deliveries."""

from __future__ import annotations

import json
import random
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deliveries import rules, store
from gateway.deliveries.schemas import DeliveryState, Outcome, RedeliveryIn
from gateway.deliveries.sending import Sent
from gateway.deliveries.store import Message
from gateway.deliveries.tables import WebhookAttempt, WebhookDelivery
from gateway.webhooks import actions as webhooks
from gateway.webhooks.schemas import Reason
from gateway.webhooks.store import wake
from gateway.webhooks.tables import Webhook
from kit import clock
from kit.access import Caller
from kit.ids import uuid7

PING = "id.kampungkb.gateway.ping.v1"
FEED_RESET = "id.kampungkb.gateway.feed-reset.v1"
"""Says that a service's feed was made anew: what the receiver holds of it may be ahead of the platform."""


def notice(kind: str, data: dict[str, str]) -> Message:
    """Something that the gateway itself has to say, in the shape of an event."""
    number = uuid7()
    body = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/gateway",
        "type": kind,
        "time": clock.now().isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(number, kind, None, json.dumps(body).encode())


async def ping_webhook(session: AsyncSession, caller: Caller, number: UUID) -> int:
    """Send a test message once, also to a webhook that is paused; the id of its delivery.

    Raises:
        WebhookUnknown, Forbidden, Conflict: as when a webhook is resumed.
    """
    webhook = await webhooks.find_own(session, caller, number)
    message = notice(PING, {"webhook": str(webhook.id)})
    (delivery,) = await store.log(session, "gateway", [message], [(webhook.id, message.id)], clock.now(), "ping")
    await wake(session)
    return delivery


async def redeliver(session: AsyncSession, caller: Caller, number: UUID, delivery: int) -> None:
    """Send one message again, with the same `webhook-id`. One that waits already stays as it is.

    Raises:
        DeliveryUnknown: the webhook's log has none of this id.
        WebhookUnknown, Forbidden, Conflict: as when a webhook is resumed.
    """
    webhook = await webhooks.find_own(session, caller, number)
    await store.find(session, webhook.id, delivery)
    await store.redeliver(session, webhook.id, delivery, clock.now())
    await wake(session)


async def redeliver_span(session: AsyncSession, caller: Caller, number: UUID, asked: RedeliveryIn) -> int:
    """Send the messages of a span of time again, in their order; how many.

    Raises:
        WebhookUnknown, Forbidden, Conflict: as when a webhook is resumed.
    """
    webhook = await webhooks.find_own(session, caller, number)
    found = await store.redeliver_span(session, webhook.id, asked, clock.now())
    await wake(session)
    return found


async def note_attempt(session: AsyncSession, webhook: Webhook, delivery: WebhookDelivery, sent: Sent) -> None:
    """Write down what became of an attempt, and what follows from it."""
    now = clock.now()
    delivery.attempts += 1
    session.add(
        WebhookAttempt(
            delivery_id=delivery.id,
            number=delivery.attempts,
            at=sent.at,
            outcome=sent.outcome.value,
            status=sent.status,
            milliseconds=round(sent.seconds * 1000),
            reason=sent.reason,
            excerpt=sent.excerpt,
        )
    )
    if sent.outcome is Outcome.DELIVERED:
        await _delivered(session, webhook, delivery, now)
    elif delivery.queue == "ping":
        _end(delivery, DeliveryState.GIVEN_UP, now)
    elif sent.outcome is Outcome.GONE:
        _halt(webhook, Reason.GONE)
    else:
        _failed(webhook, delivery, sent, now)
    session.add_all([webhook, delivery])


async def _delivered(session: AsyncSession, webhook: Webhook, delivery: WebhookDelivery, now: datetime) -> None:
    _end(delivery, DeliveryState.DELIVERED, now)
    if webhook.failures:
        await store.hurry_aside(session, webhook.id, now)
    webhooks.forget_failures(webhook)
    webhook.delivered_at = now


def _failed(webhook: Webhook, delivery: WebhookDelivery, sent: Sent, now: datetime) -> None:
    delivery.tries += 1
    delivery.first_tried_at = delivery.first_tried_at or sent.at
    chance = random.random()  # noqa: S311 - jitter
    delivery.due_at = now + rules.wait_after(delivery.tries, chance, sent.retry_after)
    if delivery.queue == "order":
        webhook.failures += 1
        webhook.failing_since = webhook.failing_since or sent.at
        webhook.retry_at = now + rules.probe_after(webhook.failures, chance, sent.retry_after)
        if delivery.tries >= rules.IN_ORDER_TRIES:
            delivery.queue = "aside"
        else:
            delivery.due_at = webhook.retry_at
    if rules.is_over(delivery.first_tried_at, now):
        _give_up(webhook, delivery, now)


def _give_up(webhook: Webhook, delivery: WebhookDelivery, now: datetime) -> None:
    """Three days are over.

    A receiver that took others meanwhile will not take this one; one that took nothing is away, and what it misses
    waits until its owner resumes.
    """
    assert delivery.first_tried_at is not None
    if webhook.delivered_at is not None and webhook.delivered_at > delivery.first_tried_at:
        _end(delivery, DeliveryState.GIVEN_UP, now)
    else:
        _halt(webhook, Reason.FAILURES)


def _halt(webhook: Webhook, reason: Reason) -> None:
    webhooks.halt(webhook, reason)
    webhook.version += 1


def _end(delivery: WebhookDelivery, state: DeliveryState, now: datetime) -> None:
    delivery.state, delivery.ended_at = state.value, now
