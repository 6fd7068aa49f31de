"""Queries of the deliveries room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from gateway.deliveries.rules import KEPT_FOR
from gateway.deliveries.schemas import DeliveryFilters, DeliveryState, RedeliveryIn, Which
from gateway.deliveries.tables import WebhookAttempt, WebhookDelivery, WebhookMessage
from gateway.webhooks.tables import Webhook
from kit.paging import decode_cursor
from kit.problems import DeliveryUnknown

_SHOWN_ATTEMPTS = 50
_COUNTED = 100_000
_CLEAN_AT_ONCE = 5_000
_WAITING = DeliveryState.WAITING.value

_LOG_MESSAGES = sa.text(
    "INSERT INTO webhook_messages (id, service, type, region_code, body, logged_at) "
    "SELECT id, :service, type, region, body, :now FROM unnest(cast(:ids AS uuid[]), cast(:types AS text[]), "
    "cast(:regions AS text[]), cast(:bodies AS bytea[])) AS m (id, type, region, body) ON CONFLICT DO NOTHING"
)
_LOG_DELIVERIES = sa.text(
    "INSERT INTO webhook_deliveries (webhook_id, message_id, queue, logged_at, due_at) "
    "SELECT webhook, message, :queue, :now, :now FROM unnest(cast(:webhooks AS uuid[]), cast(:messages AS uuid[])) "
    "WITH ORDINALITY AS d (webhook, message, place) ORDER BY place ON CONFLICT DO NOTHING RETURNING id"
)
_DUE = sa.text(
    "SELECT w.id FROM webhooks w WHERE EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id "
    "AND d.state = 'waiting' AND d.queue = 'ping') OR w.state = 'active' AND ("
    "EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.queue = 'aside' "
    "AND d.due_at <= :now) OR (w.retry_at IS NULL OR w.retry_at <= :now) AND "
    "EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.queue = 'order'))"
)
_OLDEST = sa.text(
    "SELECT min(d.since) FROM webhooks w CROSS JOIN LATERAL (SELECT coalesce(first_tried_at, due_at) AS since "
    "FROM webhook_deliveries WHERE webhook_id = w.id AND state = 'waiting' AND queue = 'order' ORDER BY id LIMIT 1) d "
    "WHERE w.state = 'active'"
)
_COUNT = sa.text(
    "SELECT count(*) FROM (SELECT FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id "
    "WHERE d.state = 'waiting' AND w.state = 'active' LIMIT :most) counted"
)
_CLEAN = (
    sa.text(
        "DELETE FROM webhook_deliveries WHERE id IN "
        "(SELECT id FROM webhook_deliveries WHERE logged_at < :before LIMIT :most)"
    ),
    sa.text(
        "DELETE FROM webhook_messages WHERE id IN (SELECT id FROM webhook_messages m WHERE logged_at < :before "
        "AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.message_id = m.id) LIMIT :most)"
    ),
)


@dataclass(frozen=True)
class Message:
    """What is to be sent."""

    id: UUID
    type: str
    region_code: str | None
    body: bytes


async def log(
    session: AsyncSession,
    service: str,
    messages: Sequence[Message],
    wanted: Sequence[tuple[UUID, UUID]],
    now: datetime,
    queue: str = "order",
) -> list[int]:
    """Write messages and who gets them, pairs of webhook and message in order; ids of the deliveries that are new.

    What a webhook has in its log already is not logged twice.
    """
    if not wanted:
        return []
    parameters = {
        "service": service,
        "now": now,
        "ids": [message.id for message in messages],
        "types": [message.type for message in messages],
        "regions": [message.region_code for message in messages],
        "bodies": [message.body for message in messages],
    }
    await session.execute(_LOG_MESSAGES, parameters)
    webhooks, numbers = zip(*wanted, strict=True)
    pairs = {"queue": queue, "now": now, "webhooks": list(webhooks), "messages": list(numbers)}
    return list((await session.execute(_LOG_DELIVERIES, pairs)).scalars())


def _shown() -> Any:
    message, delivery = WebhookMessage, WebhookDelivery
    columns = ("id", "message_id", "state", "attempts", "logged_at", "due_at", "ended_at")
    return sa.select(
        *(col(getattr(delivery, name)) for name in columns), col(message.type), col(message.region_code)
    ).join(message, col(message.id) == col(delivery.message_id))


async def list_page(session: AsyncSession, webhook: UUID, filters: DeliveryFilters) -> Sequence[Any]:
    """One item more than a page of a webhook's deliveries, newest first."""
    query = _shown().where(col(WebhookDelivery.webhook_id) == webhook)
    if filters.state is not None:
        query = query.where(col(WebhookDelivery.state) == filters.state.value)
    after = decode_cursor(filters.cursor, int)
    if after is not None:
        query = query.where(col(WebhookDelivery.id) < after[0])
    query = query.order_by(col(WebhookDelivery.id).desc()).limit(filters.limit + 1)
    return (await session.execute(query)).all()


async def find(session: AsyncSession, webhook: UUID, number: int) -> Any:
    """One delivery with what is sent.

    Raises:
        DeliveryUnknown: the webhook's log has none of this id.
    """
    own = sa.and_(col(WebhookDelivery.webhook_id) == webhook, col(WebhookDelivery.id) == number)
    found = (await session.execute(_shown().add_columns(col(WebhookMessage.body)).where(own))).one_or_none()
    if found is None:
        raise DeliveryUnknown
    return found


async def attempts_of(session: AsyncSession, number: int) -> Sequence[WebhookAttempt]:
    """The newest attempts at a delivery, newest first."""
    query = select(WebhookAttempt).where(col(WebhookAttempt.delivery_id) == number)
    return (await session.scalars(query.order_by(col(WebhookAttempt.number).desc()).limit(_SHOWN_ATTEMPTS))).all()


async def skip_waiting(session: AsyncSession, webhook: UUID, now: datetime) -> int:
    """End what waits without sending it; how many."""
    return await _update(session, webhook, _waits(), {"state": DeliveryState.SKIPPED.value, "ended_at": now})


async def end_pings(session: AsyncSession, webhook: UUID, now: datetime) -> int:
    """Give up test messages that wait; how many."""
    pings = sa.and_(col(WebhookDelivery.state) == _WAITING, col(WebhookDelivery.queue) == "ping")
    return await _update(session, webhook, pings, {"state": DeliveryState.GIVEN_UP.value, "ended_at": now})


async def try_anew(session: AsyncSession, webhook: UUID, now: datetime) -> int:
    """Let what waits be tried as if it had never been; how many."""
    return await _update(session, webhook, _waits(), _anew(now))


async def redeliver(session: AsyncSession, webhook: UUID, number: int, now: datetime) -> int:
    """Send one again; 0 where there is none, or it waits already."""
    one = sa.and_(col(WebhookDelivery.id) == number, col(WebhookDelivery.state) != _WAITING)
    return await _update(session, webhook, one, _anew(now))


async def redeliver_span(session: AsyncSession, webhook: UUID, asked: RedeliveryIn, now: datetime) -> int:
    """Send those of a span again, but what waits already and pings; how many."""
    logged = col(WebhookDelivery.logged_at)
    span = sa.and_(logged >= asked.start, logged < asked.end, col(WebhookDelivery.queue) != "ping")
    which = {
        Which.ALL: col(WebhookDelivery.state) != _WAITING,
        Which.UNDELIVERED: col(WebhookDelivery.state).in_([DeliveryState.GIVEN_UP.value, DeliveryState.SKIPPED.value]),
    }
    return await _update(session, webhook, sa.and_(span, which[asked.which]), _anew(now))


def _waits() -> ColumnElement[bool]:
    return sa.and_(col(WebhookDelivery.state) == _WAITING, col(WebhookDelivery.queue) != "ping")


def _anew(now: datetime) -> dict[str, Any]:
    return {
        "state": _WAITING,
        "queue": "order",
        "tries": 0,
        "first_tried_at": None,
        "due_at": now,
        "ended_at": None,
    }


async def _update(session: AsyncSession, webhook: UUID, which: ColumnElement[bool], values: dict[str, Any]) -> int:
    statement = sa.update(WebhookDelivery).where(col(WebhookDelivery.webhook_id) == webhook, which).values(values)
    done: Any = await session.execute(statement, execution_options={"synchronize_session": False})
    return int(done.rowcount)


async def due(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """The webhooks for which there is something to send."""
    return (await session.execute(_DUE, {"now": now})).scalars().all()


async def lock_webhook(session: AsyncSession, number: UUID) -> Webhook | None:
    """A webhook, held until the transaction ends, though not against those who log for it."""
    return await session.get(Webhook, number, with_for_update={"key_share": True}, populate_existing=True)


async def next_of(
    session: AsyncSession, webhook: Webhook, now: datetime
) -> tuple[WebhookDelivery, WebhookMessage] | None:
    """What is sent next.

    A ping; else what stands aside and is due; else what is next in order, if the receiver may be asked again.
    """
    queues: list[tuple[str, ColumnElement[bool]]] = [("ping", sa.true())]
    if webhook.state == "active":
        queues.append(("aside", col(WebhookDelivery.due_at) <= now))
        if webhook.retry_at is None or webhook.retry_at <= now:
            queues.append(("order", sa.true()))
    for queue, condition in queues:
        query = (
            sa.select(WebhookDelivery, WebhookMessage)
            .join(WebhookMessage, col(WebhookMessage.id) == col(WebhookDelivery.message_id))
            .where(
                col(WebhookDelivery.webhook_id) == webhook.id,
                col(WebhookDelivery.state) == _WAITING,
                col(WebhookDelivery.queue) == queue,
                condition,
            )
            .order_by(col(WebhookDelivery.id))
            .limit(1)
        )
        found = (await session.execute(query)).first()
        if found is not None:
            return found[0], found[1]
    return None


async def find_waiting(session: AsyncSession, number: int) -> WebhookDelivery | None:
    """A delivery, if it still waits."""
    query = select(WebhookDelivery).where(col(WebhookDelivery.id) == number, col(WebhookDelivery.state) == _WAITING)
    return (await session.scalars(query.with_for_update())).one_or_none()


async def hurry_aside(session: AsyncSession, webhook: UUID, now: datetime) -> None:
    """The receiver is well again: what stands aside is tried now."""
    await _update(
        session,
        webhook,
        sa.and_(col(WebhookDelivery.state) == _WAITING, col(WebhookDelivery.queue) == "aside"),
        {"due_at": now},
    )


async def waiting(session: AsyncSession) -> tuple[int, datetime | None]:
    """How many deliveries to active webhooks wait (counted up to 100,000), and since when the oldest in order does."""
    number = (await session.execute(_COUNT, {"most": _COUNTED})).scalar_one()
    return int(number), (await session.execute(_OLDEST)).scalar_one()


async def clean(session: AsyncSession, now: datetime) -> bool:
    """Delete some of the log that is too old; whether there may be more."""
    parameters = {"before": now - KEPT_FOR, "most": _CLEAN_AT_ONCE}
    done: Iterable[Any] = [await session.execute(statement, parameters) for statement in _CLEAN]
    return any(one.rowcount == _CLEAN_AT_ONCE for one in done)
