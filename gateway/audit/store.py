"""Queries of the audit room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.audit_chain import Head
from gateway.audit import rules
from gateway.audit.rules import Entry
from gateway.audit.schemas import AuditFilters
from gateway.audit.tables import AuditBegun, AuditEntry, AuditHead
from kit import clock
from kit.access import Caller
from kit.database import insert_missing
from kit.ids import uuid7
from kit.paging import decode_cursor
from kit.scoping import subtree


async def begin(session: AsyncSession, entries: Sequence[Entry]) -> None:
    """Store that these requests are about to be carried out."""
    rows = [{"id": one.id, "at": one.at, "entry": rules.written(one)} for one in entries]
    await insert_missing(session, "audit_begun", rows)


async def append(session: AsyncSession, entries: Sequence[Entry]) -> int:
    """Add entries to the chain, each once however often it is tried; gives how many were added.

    Holds the chain's end until the transaction ends, so that several processes write one chain without gaps.
    """
    found = await head(session, lock=True)
    new = await _not_there(session, entries)
    rows = [_row(members) for members in rules.chained(new, found)]
    added = await insert_missing(session, "audit_entries", rows)
    if len(added) != len(rows):
        raise RuntimeError("the audit trail has entries beyond its head")
    ids = [one.id for one in entries]
    await session.execute(sa.delete(AuditBegun).where(col(AuditBegun.id).in_(ids)))
    if rows:
        digest = bytes.fromhex(rows[-1]["digest"].removeprefix("\\x"))
        await session.execute(sa.update(AuditHead).values(number=rows[-1]["number"], digest=digest))
    return len(rows)


async def head(session: AsyncSession, *, lock: bool = False) -> Head:
    """The end of the chain."""
    query = select(AuditHead)
    found: AuditHead = (await session.scalars(query.with_for_update() if lock else query)).one()
    return Head(found.number, found.digest.hex())


async def ends(session: AsyncSession) -> tuple[int, int]:
    """The last number that is there and the last that the head knows, at one moment."""
    last = select(sa.func.coalesce(sa.func.max(AuditEntry.number), 0)).scalar_subquery()
    row = (await session.execute(select(last, col(AuditHead.number)))).one()
    return row[0], row[1]


async def _not_there(session: AsyncSession, entries: Sequence[Entry]) -> list[Entry]:
    """Entries without those written before.

    A result that is told late, after its request was recorded without one, is an entry of its own.
    """
    known = col(AuditEntry.id).in_([one.id for one in entries])
    rows = await session.execute(
        select(col(AuditEntry.id), col(AuditEntry.number), col(AuditEntry.status)).where(known)
    )
    there = {found: (number, status) for found, number, status in rows}
    fresh = [one for one in entries if one.id not in there]
    late = [one for one in entries if one.id in there and there[one.id][1] is None and one.status is not None]
    return [*fresh, *(replace(one, id=uuid7(), note=f"result of {there[one.id][0]}, told late") for one in late)]


def _row(members: Mapping[str, Any]) -> dict[str, Any]:
    return {**members, "previous": "\\x" + members["previous"], "digest": "\\x" + members["digest"]}


async def abandoned(session: AsyncSession, older_than_seconds: float, limit: int) -> list[Entry]:
    """Requests that were begun so long ago that their process cannot be at it any more."""
    before = clock.now() - timedelta(seconds=older_than_seconds)
    query = select(AuditBegun).where(col(AuditBegun.at) < before).order_by(col(AuditBegun.at)).limit(limit)
    return [rules.read(row.entry) for row in await session.scalars(query)]


async def list_page(session: AsyncSession, caller: Caller, filters: AuditFilters) -> Sequence[AuditEntry]:
    """One item more than a page of entries, newest first."""
    query = _filtered(_visible(select(AuditEntry), caller.region), filters)
    after = decode_cursor(filters.cursor, int)
    if after is not None:
        query = query.where(col(AuditEntry.number) < after[0])
    return (await session.scalars(query.order_by(col(AuditEntry.number).desc()).limit(filters.limit + 1))).all()


async def after(session: AsyncSession, number: int, limit: int) -> Sequence[AuditEntry]:
    """Entries after a number, in the order of the chain."""
    query = select(AuditEntry).where(col(AuditEntry.number) > number).order_by(col(AuditEntry.number))
    return (await session.scalars(query.limit(limit))).all()


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    """What the region's own callers did, and what was done to the region."""
    if region is None:
        return query
    return query.where(subtree(col(AuditEntry.caller_region), region) | subtree(col(AuditEntry.region), region))


def _filtered(query: Select[Any], filters: AuditFilters) -> Select[Any]:
    equal = {
        AuditEntry.kind: filters.kind,
        AuditEntry.caller: filters.caller,
        AuditEntry.operation: filters.operation,
        AuditEntry.status: filters.status,
        AuditEntry.request_id: filters.request_id,
    }
    query = query.where(*(col(column) == value for column, value in equal.items() if value is not None))
    if filters.resource is not None:
        query = query.where(col(AuditEntry.resource).startswith(filters.resource, autoescape=True))
    if filters.region is not None:
        query = query.where(subtree(col(AuditEntry.region), filters.region))
    return query.where(*_between(filters.since, filters.until))


def _between(since: datetime | None, until: datetime | None) -> Iterable[sa.ColumnElement[bool]]:
    if since is not None:
        yield col(AuditEntry.at) >= since
    if until is not None:
        yield col(AuditEntry.at) < until
