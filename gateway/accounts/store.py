"""Queries of the accounts room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.accounts.schemas import AccountFilters, AccountStatus
from gateway.accounts.tables import Account
from kit import touched
from kit.access import Caller
from kit.paging import decode_cursor
from kit.problems import AccountUnknown


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    if region is None:
        return query
    column = col(Account.region)
    return query.where((column == region) | column.startswith(f"{region}.", autoescape=True))


def _has_status(status: AccountStatus) -> ColumnElement[bool]:
    enabled, has_password = col(Account.disabled_at).is_(None), col(Account.password_hash).is_not(None)
    match status:
        case AccountStatus.DISABLED:
            return ~enabled
        case AccountStatus.INVITED:
            return enabled & ~has_password
        case AccountStatus.ACTIVE:
            return enabled & has_password


async def find(session: AsyncSession, caller: Caller, account_id: UUID, *, lock: bool = False) -> Account:
    """An account whose grants all lie in the caller's region.

    Raises:
        AccountUnknown: there is none.
    """
    query = _visible(select(Account).where(col(Account.id) == account_id), caller.region)
    account: Account | None = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if account is None:
        raise AccountUnknown
    touched.note(account.region)
    return account


async def list_page(session: AsyncSession, caller: Caller, filters: AccountFilters) -> Sequence[Account]:
    """One item more than a page of accounts, oldest first."""
    query = _visible(select(Account), caller.region)
    if filters.status is not None:
        query = query.where(_has_status(filters.status))
    if filters.login is not None:
        query = query.where(col(Account.login) == filters.login)
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(col(Account.id) > after[0])
    return (await session.scalars(query.order_by(col(Account.id)).limit(filters.limit + 1))).all()


async def insert_once(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Insert an account; False when its login, or its creator's Idempotency-Key, was used before."""
    statement = insert(Account).values(row).on_conflict_do_nothing()
    return (await session.execute(statement.returning(col(Account.id)))).scalar() is not None


async def find_replayed(session: AsyncSession, created_by: str, idempotency_key: str | None) -> Account | None:
    """The account that was opened with this Idempotency-Key."""
    creator, used = col(Account.created_by), col(Account.idempotency_key)
    found = await session.scalars(select(Account).where(creator == created_by, used == idempotency_key))
    return found.one_or_none()


async def by_login(session: AsyncSession, login: str, *, lock: bool = False) -> Account | None:
    """The account of a login, whoever asks."""
    query = select(Account).where(col(Account.login) == login)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def load(session: AsyncSession, account_id: UUID, *, lock: bool = False) -> Account | None:
    """An account, whoever asks."""
    query = select(Account).where(col(Account.id) == account_id)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
