"""Queries of the webhooks room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from gateway.webhooks.owners import administered
from gateway.webhooks.schemas import State, WebhookFilters
from gateway.webhooks.tables import Webhook, WebhookCatchUp, WebhookFeed
from kit import touched
from kit.access import Caller
from kit.changes import cursor
from kit.paging import decode_cursor
from kit.problems import WebhookUnknown
from kit.scoping import subtree

CHANNEL = "kkb_webhooks"
"""PostgreSQL notification channel that wakes the leader: there is something to send, or to read."""

_OWNERS = 0x6B6B
"""Class of the advisory locks of owners; with two numbers they are none of those with one."""


KEYS_CLASS = 0x6B6B_6B76
"""Class of the advisory locks by which processes say which keys of the vault they have."""
_ALL_KNOW = sa.text(
    "SELECT coalesce(bool_and(knows), false) FROM (SELECT pid, bool_or(objid = cast(:key AS oid)) AS knows FROM pg_locks "
    "WHERE locktype = 'advisory' AND granted AND classid = cast(:class AS oid) AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid) AS process"
)


def _visible(caller: Caller) -> ColumnElement[bool]:
    """His own; an administrator sees those of his region, too."""
    regions = [subtree(col(Webhook.region), region) for region in administered(caller)]
    return sa.or_(col(Webhook.owner_id) == caller.id, *regions)


async def find(session: AsyncSession, caller: Caller, number: UUID, *, lock: bool = False) -> Webhook:
    """A webhook that the caller may see.

    Raises:
        WebhookUnknown: there is none.
    """
    query = select(Webhook).where(col(Webhook.id) == number, _visible(caller))
    found: Webhook | None = (
        await session.scalars(query.with_for_update(key_share=True) if lock else query)
    ).one_or_none()
    if found is None:
        raise WebhookUnknown
    touched.note(found.region)
    return found


async def list_page(session: AsyncSession, caller: Caller, filters: WebhookFilters) -> Sequence[Webhook]:
    """One item more than a page of webhooks, oldest first."""
    query = select(Webhook).where(_visible(caller))
    if filters.state is not None:
        query = query.where(col(Webhook.state) == filters.state.value)
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(col(Webhook.id) > after[0])
    return (await session.scalars(query.order_by(col(Webhook.id)).limit(filters.limit + 1))).all()


async def catching_up(session: AsyncSession, webhooks: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The services whose feeds these webhooks still read alone, because the others are further on."""
    query = (
        sa.select(WebhookCatchUp, col(WebhookFeed.position))
        .join(WebhookFeed, col(WebhookFeed.service) == col(WebhookCatchUp.service))
        .where(col(WebhookCatchUp.webhook_id).in_(webhooks))
        .order_by(col(WebhookCatchUp.service))
    )
    found: dict[UUID, list[str]] = {number: [] for number in webhooks}
    for one, others in (await session.execute(query)).all():
        place = cursor.read(one.service, one.since)
        if place is not None and place.position < others:
            found[one.webhook_id].append(one.service)
    return found


async def lock_owner(session: AsyncSession, owner_id: str) -> int:
    """Let one request at a time make webhooks for an owner; how many he has that have not ended."""
    await session.execute(sa.select(sa.func.pg_advisory_xact_lock(_OWNERS, sa.func.hashtext(owner_id))))
    living = sa.and_(col(Webhook.owner_id) == owner_id, col(Webhook.state) != State.ENDED.value)
    return int((await session.execute(sa.select(sa.func.count()).select_from(Webhook).where(living))).scalar_one())


async def add(session: AsyncSession, row: dict[str, Any]) -> None:
    """Insert a webhook; whoever calls holds its owner's, so nobody else uses the same Idempotency-Key now."""
    await session.execute(sa.insert(Webhook).values(row))


async def find_replayed(session: AsyncSession, owner_id: str, idempotency_key: str) -> Webhook | None:
    """The webhook that was made with this Idempotency-Key."""
    owner, used = col(Webhook.owner_id), col(Webhook.idempotency_key)
    return (await session.scalars(select(Webhook).where(owner == owner_id, used == idempotency_key))).one_or_none()


async def begin_at(session: AsyncSession, webhook: UUID, since: dict[str, str]) -> None:
    """Let a webhook read feeds alone from these cursors until it is where the others are."""
    session.add_all(
        WebhookCatchUp(webhook_id=webhook, service=service, since=place) for service, place in since.items()
    )


async def wake(session: AsyncSession) -> None:
    """Tell the leader, once the transaction is committed, that there is something to do."""
    await session.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


async def feed_of(session: AsyncSession, service: str, *, lock: bool = False) -> WebhookFeed | None:
    """How far a feed was read for all; None where nobody has begun."""
    return await session.get(WebhookFeed, service, with_for_update=lock, populate_existing=True)


async def owners(session: AsyncSession) -> Sequence[str]:
    """The owners of webhooks that have not ended."""
    living = col(Webhook.state) != State.ENDED.value
    return (await session.scalars(sa.select(col(Webhook.owner_id)).where(living).distinct())).all()


async def living_of(session: AsyncSession, owner_id: str) -> Sequence[Webhook]:
    """An owner's webhooks that have not ended, locked."""
    living = sa.and_(col(Webhook.owner_id) == owner_id, col(Webhook.state) != State.ENDED.value)
    return (
        await session.scalars(select(Webhook).where(living).order_by(col(Webhook.id)).with_for_update(key_share=True))
    ).all()


async def secrets_after(session: AsyncSession, webhook: UUID | None, limit: int) -> Sequence[Webhook]:
    """Webhooks that have not ended, by their ids after one of them, as they are now: for a look at their secrets."""
    living = col(Webhook.state) != State.ENDED.value
    query = select(Webhook).where(living).order_by(col(Webhook.id)).limit(limit)
    if webhook is not None:
        query = query.where(col(Webhook.id) > webhook)
    return (await session.scalars(query)).all()


async def lock_free(session: AsyncSession, webhooks: Sequence[UUID]) -> Sequence[Webhook]:
    """Those of the webhooks that nobody else holds just now, locked, as they are now."""
    query = select(Webhook).where(col(Webhook.id).in_(webhooks)).order_by(col(Webhook.id))
    return (await session.scalars(query.with_for_update(key_share=True, skip_locked=True))).all()


async def all_know(session: AsyncSession, key: int) -> bool:
    """Whether every process that may send webhooks has a key, by its name.

    Each of them holds a shared advisory lock for each of its keys as long as its session lives (KEYS_CLASS). So there
    is no clock in it, and nobody who has died is asked.
    """
    return bool((await session.execute(_ALL_KNOW, {"class": KEYS_CLASS, "key": key})).scalar_one())


async def counts(session: AsyncSession) -> dict[str, int]:
    """Webhooks by how they are, as the metric has it."""
    how = sa.case(
        (sa.and_(col(Webhook.state) == State.ACTIVE.value, col(Webhook.failures) > 0), "failing"),
        (col(Webhook.state) != State.PAUSED.value, col(Webhook.state)),
        (col(Webhook.reason) == "asked", "asked"),
        else_="failures",
    )
    rows = await session.execute(sa.select(how, sa.func.count()).group_by(how))
    return {str(name): int(number) for name, number in rows}
