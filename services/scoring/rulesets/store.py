"""Queries of the rulesets room. A ruleset applies to everybody, so no region is asked about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer
from sqlmodel import col

from kit.paging import ListFilters, decode_cursor
from kit.problems import RulesetUnknown
from services.scoring.rulesets.schemas import RulesetFilters
from services.scoring.rulesets.tables import InForceEntry, StoredRuleset

_IN_FORCE = sa.text(
    "SELECT r.id, r.digest FROM rulesets_in_force f JOIN rulesets r ON r.id = f.ruleset_id "
    "WHERE f.from_date <= :day ORDER BY f.from_date DESC, f.id DESC LIMIT 1"
)
_DIGEST = sa.text("SELECT digest FROM rulesets WHERE id = :id AND digest IS NOT NULL")
_DOCUMENT = sa.text("SELECT document::text FROM rulesets WHERE id = :id")


def _rulesets() -> sa.Select[StoredRuleset]:
    """Rulesets without their boundary cases, which are ten times as much as the document and seldom wanted."""
    cases: Any = StoredRuleset.boundary_cases
    return select(StoredRuleset).options(defer(cases, raiseload=True))


async def find(session: AsyncSession, number: str, *, lock: bool = False) -> StoredRuleset:
    """The ruleset of an id, in whatever state; `lock` holds its row until the transaction ends.

    Raises:
        RulesetUnknown: there is none.
    """
    query = _rulesets().where(col(StoredRuleset.id) == number)
    found: StoredRuleset | None = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise RulesetUnknown(f"there is no ruleset {number}; GET /rulesets lists them")
    return found


async def boundary_cases(session: AsyncSession, number: str) -> list[dict[str, Any]] | None:
    """The boundary cases that were stored with a ruleset, None of a draft or where there is none of this id."""
    query = select(col(StoredRuleset.boundary_cases)).where(col(StoredRuleset.id) == number)
    found: list[dict[str, Any]] | None = await session.scalar(query)
    return found


async def list_page(session: AsyncSession, filters: RulesetFilters) -> Sequence[StoredRuleset]:
    """One item more than a page of rulesets, by id."""
    query = _rulesets().order_by(col(StoredRuleset.id)).limit(filters.limit + 1)
    if filters.status is not None:
        query = query.where(col(StoredRuleset.status) == filters.status)
    after = decode_cursor(filters.cursor, str)
    if after is not None:
        query = query.where(col(StoredRuleset.id) > after[0])
    return (await session.scalars(query)).all()


async def in_force(session: AsyncSession, day: dt.date) -> tuple[str, str]:
    """Id and digest of the ruleset in force on a day. Asked for every batch of events: one index, two rows."""
    number, digest = (await session.execute(_IN_FORCE, {"day": day})).one()
    return number, digest


async def digest(session: AsyncSession, number: str) -> str | None:
    """The digest of a published or retired ruleset, None where there is none of this id."""
    found: str | None = await session.scalar(_DIGEST, {"id": number})
    return found


async def document(session: AsyncSession, number: str) -> bytes:
    """A stored document as JSON."""
    return str(await session.scalar(_DOCUMENT, {"id": number})).encode()


@dataclass(frozen=True)
class Listed:
    """An entry, whether it decides today, and whether a later one of the same day counts instead."""

    entry: InForceEntry
    now: bool
    replaced: bool


async def list_entries(session: AsyncSession, filters: ListFilters, today: dt.date) -> list[Listed]:
    """One item more than a page of the entries that say what is in force from when, newest day first."""
    later = aliased(InForceEntry)
    day, number = col(InForceEntry.from_date), col(InForceEntry.id)
    replaced = sa.exists().where(col(later.from_date) == day, col(later.id) > number)
    decides = select(col(later.id)).where(col(later.from_date) <= today)
    decides = decides.order_by(col(later.from_date).desc(), col(later.id).desc()).limit(1)
    query = select(InForceEntry, number == decides.scalar_subquery(), replaced)
    after = decode_cursor(filters.cursor, dt.date, int)
    if after is not None:
        query = query.where((day < after[0]) | ((day == after[0]) & (number < after[1])))
    query = query.order_by(day.desc(), number.desc()).limit(filters.limit + 1)
    return [Listed(*row) for row in (await session.execute(query)).all()]


async def entry_of(session: AsyncSession, day: dt.date) -> InForceEntry | None:
    """The entry that counts of a day; None where no entry is of exactly that day."""
    query = select(InForceEntry).where(col(InForceEntry.from_date) == day)
    found: InForceEntry | None = await session.scalar(query.order_by(col(InForceEntry.id).desc()).limit(1))
    return found


async def days_in_force(session: AsyncSession, number: str, today: dt.date) -> list[dt.date]:
    """From which days on a ruleset is, or will be, in force: of entries that count today or later, earliest first."""
    last = sa.text(
        "WITH counting AS (SELECT DISTINCT ON (from_date) from_date, ruleset_id FROM rulesets_in_force "
        "ORDER BY from_date, id DESC) "
        "SELECT from_date FROM counting WHERE ruleset_id = :id AND from_date >= "
        "(SELECT max(from_date) FROM counting WHERE from_date <= :today) ORDER BY from_date"
    )
    return list((await session.scalars(last, {"id": number, "today": today})).all())


async def lock_entries(session: AsyncSession) -> None:
    """Let nobody else add an entry until the transaction ends; reading goes on."""
    await session.execute(sa.text("LOCK TABLE rulesets_in_force IN SHARE ROW EXCLUSIVE MODE"))
