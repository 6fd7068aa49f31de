"""Queries of the recomputations room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.scoring.recomputations.schemas import RecomputationFilters, RecomputationState
from services.scoring.recomputations.tables import Recomputation
from services.scoring.villages.tables import Village

_WAITING = (RecomputationState.QUEUED, RecomputationState.RUNNING)


class Overtaken(Exception):
    """The recomputation was cancelled, or another process runs it by now."""


async def find(session: AsyncSession, caller: Caller, number: UUID, *, lock: bool = False) -> Recomputation:
    """A recomputation of the caller's region; `lock` keeps others from changing it meanwhile.

    Raises:
        NotFound: there is none, or it is of another region.
    """
    query = select(Recomputation).where(col(Recomputation.id) == number)
    query = query.where(subtree(col(Recomputation.region_code), caller.region))
    found = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if found is None:
        raise problems.NotFound(f"no recomputation {number} is visible to you")
    touched.note(found.region_code)
    return found


async def list_page(session: AsyncSession, caller: Caller, filters: RecomputationFilters) -> Sequence[Recomputation]:
    """One item more than a page of recomputations of the caller's region, newest first."""
    query = select(Recomputation).where(subtree(col(Recomputation.region_code), caller.region))
    if filters.state is not None:
        query = query.where(col(Recomputation.state) == filters.state)
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(col(Recomputation.id) < after[0])
    return (await session.scalars(query.order_by(col(Recomputation.id).desc()).limit(filters.limit + 1))).all()


async def waiting(session: AsyncSession) -> Recomputation | None:
    """The recomputation that waits longest, one that was broken off included."""
    query = select(Recomputation).where(col(Recomputation.state).in_(_WAITING)).order_by(col(Recomputation.id)).limit(1)
    return (await session.scalars(query)).one_or_none()


async def change(session: AsyncSession, job: Recomputation, **values: Any) -> Recomputation:
    """Change a recomputation that is under way, in the run that it was read in.

    Raises:
        Overtaken: it is no longer under way, or another run has begun.
    """
    statement = (
        update(Recomputation)
        .where(col(Recomputation.id) == job.id, col(Recomputation.run) == job.run)
        .where(col(Recomputation.state).in_(_WAITING))
        .values(values)
        .returning(Recomputation)
    )
    changed = (await session.scalars(statement)).one_or_none()
    if changed is None:
        raise Overtaken
    return changed


async def count_villages(session: AsyncSession, region: str | None) -> int:
    """How many villages of a region the registry has told of."""
    query = select(func.count()).where(col(Village.version) > 0, subtree(col(Village.region_code), region))
    return int(await session.scalar(query) or 0)


async def next_villages(session: AsyncSession, region: str | None, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Ids of a region's next villages after an id, in order."""
    query = select(col(Village.id)).where(col(Village.version) > 0, subtree(col(Village.region_code), region))
    if after is not None:
        query = query.where(col(Village.id) > after)
    return (await session.scalars(query.order_by(col(Village.id)).limit(limit))).all()
