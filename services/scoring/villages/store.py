"""Queries of the villages room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.events import VillageState
from kit.database import fetch_rows
from kit.scoping import village_reference
from services.scoring.villages.tables import Village

ACTIVE = "active"
_ASSESSED_BY = ("region_code", "status", "simulated")
"""What of a village's own state an assessment repeats or depends on."""

_INTRODUCE = sa.text(
    "INSERT INTO villages (id, region_code, version, simulated) "
    "SELECT id, code, 0, false FROM unnest(cast(:ids AS uuid[]), cast(:codes AS text[])) AS n(id, code) "
    "ON CONFLICT DO NOTHING"
)
_LOCK = sa.text("SELECT id FROM villages WHERE id = ANY(cast(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE")
_APPLY = sa.text(
    "INSERT INTO villages (id, region_code, version, status, name, province_name, regency_name, district_name, "
    "village_name, simulated) "
    "SELECT * FROM unnest(cast(:ids AS uuid[]), cast(:codes AS text[]), cast(:versions AS int[]), "
    "cast(:statuses AS text[]), cast(:names AS text[]), cast(:provinces AS text[]), cast(:regencies AS text[]), "
    "cast(:districts AS text[]), cast(:villages AS text[]), cast(:simulated AS bool[])) "
    "ON CONFLICT (id) DO UPDATE SET region_code = excluded.region_code, version = excluded.version, "
    "status = excluded.status, name = excluded.name, province_name = excluded.province_name, "
    "regency_name = excluded.regency_name, district_name = excluded.district_name, "
    "village_name = excluded.village_name, simulated = excluded.simulated "
    "WHERE excluded.version > villages.version RETURNING id"
)
_TOLD = "SELECT id, region_code, status, simulated FROM villages WHERE id = ANY($1) AND version > 0 ORDER BY id"


def by_reference(reference: str) -> ColumnElement[bool]:
    """Condition for an id, or for the active Kampung KB of a region code.

    Raises:
        Invalid: the reference is neither.
    """
    named = village_reference(reference)
    if isinstance(named, UUID):
        return col(Village.id) == named
    return (col(Village.region_code) == named) & (col(Village.status) == ACTIVE)


async def introduce(session: AsyncSession, codes: Mapping[UUID, str]) -> None:
    """Make sure that a row stands for every village; one that has not been told of yet gets version 0.

    Without it there would be nothing to lock while facts of a village arrive before the village itself.
    """
    ids = sorted(codes)
    await session.execute(_INTRODUCE, {"ids": ids, "codes": [codes[village] for village in ids]})


async def lock(session: AsyncSession, ids: Iterable[UUID]) -> None:
    """Hold villages' rows until the transaction ends, taken in one order everywhere.

    Whoever folds facts of a village holds its row, so two consumers cannot each assess it without seeing the other's
    facts.
    """
    await session.execute(_LOCK, {"ids": sorted(ids)})


async def next_ids(session: AsyncSession, after: UUID | None, limit: int) -> list[UUID]:
    """Ids of the next villages after an id (None: from the beginning), in order."""
    query = select(col(Village.id)).order_by(col(Village.id)).limit(limit)
    if after is not None:
        query = query.where(col(Village.id) > after)
    return list((await session.scalars(query)).all())


async def different(session: AsyncSession, states: Sequence[VillageState]) -> set[UUID]:
    """Those of the villages of which something else is known than these states say; versions alone do not count."""
    query = select(col(Village.id), *(col(getattr(Village, name)) for name in _ASSESSED_BY))
    rows = await session.execute(query.where(col(Village.id).in_([state.village.id for state in states])))
    known = {number: tuple(row) for number, *row in rows.all()}
    told = {state.village.id: (state.village.region_code, state.status, state.simulated) for state in states}
    return {number for number, state in told.items() if known.get(number) != state}


async def apply(session: AsyncSession, states: Sequence[VillageState]) -> set[UUID]:
    """Take over villages' new states, at most one a village; what is older than what is there changes nothing.

    Answers the villages whose state was taken over.
    """
    if not states:
        return set()
    names = [state.region_names for state in states]
    applied = await session.execute(
        _APPLY,
        {
            "ids": [state.village.id for state in states],
            "codes": [state.village.region_code for state in states],
            "versions": [state.village.version for state in states],
            "statuses": [state.status for state in states],
            "names": [state.name for state in states],
            "provinces": [name.province for name in names],
            "regencies": [name.regency for name in names],
            "districts": [name.district for name in names],
            "villages": [name.village for name in names],
            "simulated": [state.simulated for state in states],
        },
    )
    return set(applied.scalars())


class Told(NamedTuple):
    """What an assessment needs to know of a village itself."""

    id: UUID
    region_code: str
    status: str
    simulated: bool


async def told_of(session: AsyncSession, ids: Iterable[UUID]) -> list[Told]:
    """Those of the villages that the registry has told of, by id; thousands at a time need no objects of the session."""
    return [Told._make(row) for row in await fetch_rows(session, _TOLD, list(ids))]
