"""Queries of the keys room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.keys.schemas import KeyFilters, KeyStatus
from gateway.keys.tables import ApiKey
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


async def find(session: AsyncSession, caller: Caller, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """A key of the caller's region.

    Raises:
        KeyUnknown: there is none, or it reaches beyond the caller's region.
    """
    query = _visible(select(ApiKey).where(col(ApiKey.id) == key_id), caller.region)
    key: ApiKey | None = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if key is None:
        raise KeyUnknown
    return key


async def list_page(session: AsyncSession, caller: Caller, filters: KeyFilters, now: datetime) -> Sequence[ApiKey]:
    """One item more than a page of keys, oldest first."""
    query = _visible(select(ApiKey), caller.region)
    if filters.status is not None:
        query = query.where(_has_status(filters.status, now))
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


async def load(session: AsyncSession, key_id: UUID) -> ApiKey | None:
    """A key as the door needs it, whoever asks."""
    return await session.get(ApiKey, key_id)


async def note_use(session: AsyncSession, key_ids: Iterable[UUID], hour: datetime) -> None:
    """Remember the hour of use: enough to find keys nobody needs, too coarse to follow somebody's day."""
    last = col(ApiKey.last_used_at)
    statement = sa.update(ApiKey).where(col(ApiKey.id).in_(list(key_ids)), last.is_(None) | (last < hour))
    await session.execute(statement.values(last_used_at=hour))
