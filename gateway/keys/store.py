"""Queries of the keys room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.keys.schemas import KeyFilters, KeyStatus
from gateway.keys.tables import ApiKey
from kit import touched
from kit.access import Caller, Role
from kit.paging import decode_cursor
from kit.problems import KeyUnknown

CHANNEL = "kkb_keys"
"""PostgreSQL notification channel on which a key's id says: forget what you know of it."""


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    if region is None:
        return query
    column = col(ApiKey.region)
    return query.where((column == region) | column.startswith(f"{region}.", autoescape=True))


def _has_status(status: KeyStatus, now: datetime) -> ColumnElement[bool]:
    revoked = col(ApiKey.revoked_at).is_not(None)
    expired = sa.func.coalesce(col(ApiKey.expires_at) <= now, sa.false())
    match status:
        case KeyStatus.REVOKED:
            return revoked
        case KeyStatus.EXPIRED:
            return ~revoked & expired
        case KeyStatus.ACTIVE:
            return ~revoked & ~expired


def _conditions(filters: KeyFilters, now: datetime) -> Iterator[ColumnElement[bool]]:
    used = col(ApiKey.last_used_at)
    if filters.status is not None:
        yield _has_status(filters.status, now)
    if filters.role is not None:
        yield sa.literal(filters.role.value) == sa.any_(col(ApiKey.roles))
    if filters.owner is not None:
        yield col(ApiKey.owner) == filters.owner
    if filters.expires_before is not None:
        yield col(ApiKey.expires_at) < filters.expires_before
    if filters.not_used_since is not None:
        yield used.is_(None) | (used < filters.not_used_since)


async def find(session: AsyncSession, caller: Caller, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """A key of the caller's region.

    Raises:
        KeyUnknown: there is none, or it reaches beyond the caller's region.
    """
    query = _visible(select(ApiKey).where(col(ApiKey.id) == key_id), caller.region)
    key: ApiKey | None = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if key is None:
        raise KeyUnknown
    touched.note(key.region)
    return key


async def list_page(session: AsyncSession, caller: Caller, filters: KeyFilters, now: datetime) -> Sequence[ApiKey]:
    """One item more than a page of keys, oldest first."""
    query = _visible(select(ApiKey), caller.narrow(filters.region)).where(*_conditions(filters, now))
    after = decode_cursor(filters.cursor, str)
    if after is not None:
        query = query.where(col(ApiKey.id) > UUID(after[0]))
    return (await session.scalars(query.order_by(col(ApiKey.id)).limit(filters.limit + 1))).all()


async def insert_once(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Insert a key; False when its creator has used the same Idempotency-Key before."""
    statement = insert(ApiKey).values(row).on_conflict_do_nothing(index_elements=["created_by", "idempotency_key"])
    return (await session.execute(statement.returning(col(ApiKey.id)))).scalar() is not None


async def find_replayed(session: AsyncSession, created_by: str, idempotency_key: str) -> ApiKey:
    """The key that was issued with this Idempotency-Key."""
    creator, used = col(ApiKey.created_by), col(ApiKey.idempotency_key)
    return (await session.scalars(select(ApiKey).where(creator == created_by, used == idempotency_key))).one()


async def lock_administrators(session: AsyncSession, now: datetime) -> Sequence[ApiKey]:
    """Active keys that may manage all keys, locked in a fixed order."""
    query = select(ApiKey).where(
        sa.literal(Role.ADMINISTRATOR.value) == sa.any_(col(ApiKey.roles)),
        col(ApiKey.region).is_(None),
        _has_status(KeyStatus.ACTIVE, now),
    )
    return (await session.scalars(query.order_by(col(ApiKey.id)).with_for_update())).all()


async def tell_others(session: AsyncSession, key_id: UUID) -> None:
    """Let every gateway process forget a key, once the transaction is committed."""
    await session.execute(sa.select(sa.func.pg_notify(CHANNEL, str(key_id))))


async def load(session: AsyncSession, key_id: UUID, *, lock: bool = False) -> ApiKey | None:
    """A key as the door needs it, whoever asks."""
    return await session.get(ApiKey, key_id, with_for_update=lock)


async def note_use(session: AsyncSession, key_ids: Iterable[UUID], with_old: Iterable[UUID], hour: datetime) -> None:
    """Remember the hour of use.

    `with_old` are those of the keys that were used with the secret before the last rotation.
    """
    for ids, column in ((key_ids, "last_used_at"), (with_old, "old_secret_used_at")):
        last = getattr(ApiKey, column)
        # in a fixed order: gateway processes write at the same time
        due = select(col(ApiKey.id)).where(col(ApiKey.id).in_(list(ids)), last.is_(None) | (last < hour))
        locked = due.order_by(col(ApiKey.id)).with_for_update()
        await session.execute(sa.update(ApiKey).where(col(ApiKey.id).in_(locked)).values({column: hour}))


async def count_expiring(session: AsyncSession, now: datetime, within: timedelta, used_since: datetime) -> int:
    """Active keys that expire soon and were in use lately: those that somebody will miss."""
    query = select(sa.func.count()).where(
        _has_status(KeyStatus.ACTIVE, now),
        col(ApiKey.expires_at) <= now + within,
        col(ApiKey.last_used_at) >= used_since,
    )
    return (await session.execute(query)).scalar_one()
