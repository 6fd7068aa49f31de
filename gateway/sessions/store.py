"""Queries of the sessions room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.accounts.tables import Account
from gateway.sessions.schemas import SessionFilters
from gateway.sessions.tables import SignedIn
from kit.paging import decode_cursor

CHANNEL = "kkb_sessions"
"""PostgreSQL notification channel on which an account's id says: forget what you know of its sessions."""


def is_open(now: datetime, idle: timedelta) -> ColumnElement[bool]:
    """Sessions that are neither ended nor over nor idle for too long."""
    fresh = (col(SignedIn.expires_at) > now) & (col(SignedIn.last_used_at) > now - idle)
    return col(SignedIn.ended_at).is_(None) & fresh


async def load(session: AsyncSession, secret_hash: bytes) -> tuple[SignedIn, Account] | None:
    """A session that was not ended, with its account, as the door needs them."""
    query = select(SignedIn, Account).join(Account, col(Account.id) == col(SignedIn.account_id))
    row = (await session.execute(query.where(col(SignedIn.secret_hash) == secret_hash))).one_or_none()
    return None if row is None else (row[0], row[1])


async def list_page(
    session: AsyncSession, account_id: UUID, filters: SessionFilters, open_only: ColumnElement[bool]
) -> Sequence[SignedIn]:
    """One item more than a page of an account's open sessions, oldest first."""
    query = select(SignedIn).where(col(SignedIn.account_id) == account_id, open_only)
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(col(SignedIn.id) > after[0])
    return (await session.scalars(query.order_by(col(SignedIn.id)).limit(filters.limit + 1))).all()


async def end(session: AsyncSession, account_id: UUID, session_id: UUID, now: datetime) -> bool:
    """End one session of an account; False when there is none that is open."""
    mine = (col(SignedIn.id) == session_id) & (col(SignedIn.account_id) == account_id)
    statement = sa.update(SignedIn).where(mine, col(SignedIn.ended_at).is_(None)).values(ended_at=now)
    return (await session.execute(statement.returning(col(SignedIn.id)))).scalar() is not None


async def end_all(session: AsyncSession, account_id: UUID, now: datetime) -> None:
    """End all sessions of an account."""
    mine = (col(SignedIn.account_id) == account_id) & col(SignedIn.ended_at).is_(None)
    await session.execute(sa.update(SignedIn).where(mine).values(ended_at=now))


async def end_by_secret(session: AsyncSession, secret_hash: bytes, now: datetime) -> UUID | None:
    """End the session that a browser had before it signed in again; gives its account."""
    mine = (col(SignedIn.secret_hash) == secret_hash) & col(SignedIn.ended_at).is_(None)
    statement = sa.update(SignedIn).where(mine).values(ended_at=now).returning(col(SignedIn.account_id))
    found: UUID | None = (await session.execute(statement)).scalar()
    return found


async def tell_others(session: AsyncSession, account_id: UUID) -> None:
    """Let every gateway process forget an account's sessions, once the transaction is committed."""
    await session.execute(sa.select(sa.func.pg_notify(CHANNEL, str(account_id))))


async def note_use(session: AsyncSession, used: Mapping[UUID, datetime]) -> None:
    """Write down when sessions were used."""
    for session_id, moment in sorted(used.items()):
        mine = (col(SignedIn.id) == session_id) & (col(SignedIn.last_used_at) < moment)
        await session.execute(sa.update(SignedIn).where(mine).values(last_used_at=moment))


async def count_open(session: AsyncSession, open_only: ColumnElement[bool]) -> int:
    """How many sessions are open."""
    return int(await session.scalar(select(sa.func.count()).select_from(SignedIn).where(open_only)) or 0)


async def sweep(session: AsyncSession, before: datetime) -> None:
    """Delete what ended before a time."""
    over = sa.func.least(col(SignedIn.expires_at), col(SignedIn.ended_at)) < before
    await session.execute(sa.delete(SignedIn).where(over))
