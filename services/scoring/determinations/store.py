"""Queries of the determinations room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.database import PLANNED_FOR_ITS_VALUES, copy_rows
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.scoring.determinations.rules import MOST_VILLAGES
from services.scoring.determinations.schemas import DeterminationFilters, DeterminedVillageFilters
from services.scoring.determinations.tables import Determination, DeterminedVillage
from services.scoring.villages.store import ACTIVE
from services.scoring.villages.tables import Village

# LOCK takes no snapshot: what the transaction sees begins after whoever issued before has committed.
_ONE_AT_A_TIME = sa.text("LOCK TABLE determinations IN SHARE ROW EXCLUSIVE MODE")
_LIST: sa.Table = DeterminedVillage.__table__  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_SUCCESSORS = Determination.__table__.alias("successors")  # type: ignore[attr-defined]  # as above
_REPLACED_BY: sa.ColumnElement[Any] = _SUCCESSORS.c.id
_COLUMNS = tuple(_LIST.columns.keys())
_JSON = frozenset({"scores", "indexes"})
_CHUNK = 250
"""Villages whose facts are put together before other requests have their turn."""
_PAGE = 1_000


async def issue_one_at_a_time(session: AsyncSession) -> None:
    """Let nobody else issue a determination until the transaction ends; before its first query. Readers go on."""
    await session.execute(_ONE_AT_A_TIME)


async def active_villages(session: AsyncSession, region: str) -> AsyncIterator[Sequence[Village]]:
    """Active villages of a region by code and id, some hundred at a time."""
    await session.execute(PLANNED_FOR_ITS_VALUES)
    code, number = col(Village.region_code), col(Village.id)
    query = select(Village).where(subtree(code, region), col(Village.status) == ACTIVE, col(Village.version) > 0)
    query = query.order_by(code, number).limit(_CHUNK)
    found = (await session.scalars(query)).all()
    while found:
        yield found
        last = found[-1]
        # the first condition says nothing new to us, but where in the index to begin to PostgreSQL
        after = (code >= last.region_code) & ((code > last.region_code) | (number > last.id))
        found = (await session.scalars(query.where(after))).all() if len(found) == _CHUNK else []


async def count_villages(session: AsyncSession, region: str) -> tuple[int, int]:
    """Villages of a region that the registry has told of: how many are active, how many are not."""
    active = col(Village.status) == ACTIVE
    query = select(func.count().filter(active), func.count().filter(~active))
    found = (await session.execute(query.where(subtree(col(Village.region_code), region)))).one()
    return found[0], found[1]


async def standing(session: AsyncSession, region: str, period: str) -> UUID | None:
    """The determination of a region and period that none replaces."""
    query = _with_successor(select(col(Determination.id))).where(
        col(Determination.region_code) == region, col(Determination.period) == period, _REPLACED_BY.is_(None)
    )
    found: UUID | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def find(session: AsyncSession, caller: Caller, number: UUID) -> tuple[Determination, UUID | None]:
    """A determination whose region lies in the caller's, and which one replaces it.

    Raises:
        DeterminationUnknown: there is none, or its region is outside the caller's.
    """
    query = _visible(caller.region).where(col(Determination.id) == number)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise problems.DeterminationUnknown(f"no determination {number} is visible to you")
    touched.note(found[0].region_code)
    return found[0], found[1]


async def list_page(
    session: AsyncSession, caller: Caller, filters: DeterminationFilters
) -> list[tuple[Determination, UUID | None]]:
    """One item more than a page of determinations, newest first, each with the one that replaces it."""
    query = _visible(caller.narrow(filters.region))
    if filters.period is not None:
        query = query.where(col(Determination.period) == filters.period)
    if filters.ruleset is not None:
        query = query.where(col(Determination.ruleset) == filters.ruleset)
    if filters.replaced is not None:
        query = query.where(_REPLACED_BY.is_not(None) if filters.replaced else _REPLACED_BY.is_(None))
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(col(Determination.id) < after[0])
    query = query.order_by(col(Determination.id).desc()).limit(filters.limit + 1)
    return [(one, successor) for one, successor in (await session.execute(query)).all()]


def _visible(region: str | None) -> sa.Select[Any]:
    query = _with_successor(select(Determination, _REPLACED_BY))
    return query.where(subtree(col(Determination.region_code), region))


def _with_successor(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.outerjoin(_SUCCESSORS, _SUCCESSORS.c.replaces == col(Determination.id))


async def add(session: AsyncSession, determination: Determination, entries: Iterable[Mapping[str, Any]]) -> None:
    """Store a determination with its list, at once and for ever."""
    session.add(determination)
    await session.flush()
    rows = ({"determination_id": determination.id, **_row(entry)} for entry in entries)
    records = (tuple(row[name] for name in _COLUMNS) for row in rows)
    await copy_rows(session, str(_LIST.name), _COLUMNS, records)


async def villages_page(
    session: AsyncSession, number: UUID, filters: DeterminedVillageFilters, region: str | None
) -> list[dict[str, Any]]:
    """One entry more than a page of a determination's list."""
    query = select(_LIST).where(_LIST.c.determination_id == number, subtree(col(DeterminedVillage.region_code), region))
    if filters.village_class is not None:
        query = query.where(_LIST.c.village_class == filters.village_class)
    after = decode_cursor(filters.cursor, int)
    if after is not None:
        query = query.where(_LIST.c.number > after[0])
    rows = await session.execute(query.order_by(_LIST.c.number).limit(filters.limit + 1))
    return [_entry(row) for row in rows.mappings()]


async def villages(session: AsyncSession, number: UUID) -> list[dict[str, Any]]:
    """A determination's whole list."""
    found: list[dict[str, Any]] = []
    query = select(_LIST).where(_LIST.c.determination_id == number).order_by(_LIST.c.number)
    for first in range(0, MOST_VILLAGES, _PAGE):
        rows = (await session.execute(query.where(_LIST.c.number.between(first + 1, first + _PAGE)))).mappings().all()
        found += [_entry(row) for row in rows]
        if len(rows) < _PAGE:
            break
    return found


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = {f"{level}_name": name for level, name in entry["region_names"].items()}
    own = {name: value for name, value in entry.items() if name not in {"region_names", "class"}}
    row = {**own, **names, "village_class": entry["class"]}
    return {**row, **{name: orjson.dumps(row[name]).decode() for name in _JSON}}


def _entry(row: Mapping[Any, Any]) -> dict[str, Any]:
    """An entry of a list as plain JSON values: what the digest covers and the API answers."""
    return {
        "number": row["number"],
        "village_id": str(row["village_id"]),
        "region_code": row["region_code"],
        "region_names": {
            "province": row["province_name"],
            "regency": row["regency_name"],
            "district": row["district_name"],
            "village": row["village_name"],
        },
        "name": row["name"],
        "class": row["village_class"],
        "scores": row["scores"],
        "indexes": row["indexes"],
        "answered": row["answered"],
        "without_reports": row["without_reports"],
        "simulated": row["simulated"],
    }
