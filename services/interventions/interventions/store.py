"""Queries of the interventions room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.paging import ListFilters, decode_cursor
from kit.scoping import subtree
from services.interventions.interventions.schemas import InterventionFilters
from services.interventions.interventions.tables import Intervention, InterventionRevision
from services.interventions.villages import store as villages
from services.interventions.villages.tables import Village

Placed = tuple[Intervention, Village]
"""An intervention with the village it took place in."""


def _visible(region: str | None) -> Select[Intervention, Village]:
    query = select(Intervention, Village).join(Village, col(Village.id) == col(Intervention.village_id))
    return query.where(subtree(col(Village.region_code), region))


async def find(session: AsyncSession, caller: Caller, intervention_id: UUID, *, lock: bool = False) -> Placed:
    """An intervention the caller may see; `lock` keeps others from changing it meanwhile.

    Raises:
        NotFound: there is none, or it is outside the caller's region.
    """
    query = _visible(caller.region).where(col(Intervention.id) == intervention_id)
    if lock:
        query = query.with_for_update(of=Intervention, key_share=True)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise problems.NotFound(f"no intervention {intervention_id} is visible to you")
    intervention, village = found
    touched.note(village.region_code)
    return intervention, village


async def list_revisions(
    session: AsyncSession, intervention_id: UUID, filters: ListFilters
) -> Sequence[InterventionRevision]:
    """One item more than a page of an intervention's revisions, oldest first."""
    version = col(InterventionRevision.version)
    query = select(InterventionRevision).where(col(InterventionRevision.intervention_id) == intervention_id)
    after = decode_cursor(filters.cursor, int)
    if after is not None:
        query = query.where(version > after[0])
    return (await session.scalars(query.order_by(version).limit(filters.limit + 1))).all()


async def list_page(session: AsyncSession, caller: Caller, filters: InterventionFilters) -> list[Placed]:
    """One item more than a page of interventions, newest day first."""
    query = _visible(caller.narrow(filters.region)).where(*_conditions(filters))
    if filters.village is not None:
        village = await villages.find(session, caller, filters.village, "query:village")
        query = query.where(col(Intervention.village_id) == village.id)
    day, number = col(Intervention.date), col(Intervention.id)
    after = decode_cursor(filters.cursor, date, UUID)
    if after is not None:
        query = query.where(tuple_(day, number) < after)
    query = query.order_by(day.desc(), number.desc()).limit(filters.limit + 1)
    return [(intervention, village) for intervention, village in (await session.execute(query)).all()]


def _conditions(filters: InterventionFilters) -> list[ColumnElement[bool]]:
    row = Intervention
    withdrawn_at, actors = col(row.withdrawn_at), col(row.actors)
    possible: list[tuple[Any, Any]] = [
        (filters.since, lambda day: col(row.date) >= day),
        (filters.until, lambda day: col(row.date) <= day),
        (filters.actor, lambda code: actors.contains([{"code": code}])),
        (filters.pentahelix, lambda party: actors.contains([{"pentahelix": party}])),
        (filters.family_function, lambda code: col(row.family_function) == code),
        (filters.programme, lambda code: col(row.kegiatan).startswith(f"{code}-")),
        (filters.kegiatan, lambda code: col(row.kegiatan) == code),
        (filters.simulated, lambda made_up: col(row.simulated) == made_up),
        (filters.withdrawn, lambda gone: withdrawn_at.is_not(None) if gone else withdrawn_at.is_(None)),
    ]
    return [condition(value) for value, condition in possible if value is not None]
