"""Queries of the rebuilds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock, problems
from kit.access import Caller
from kit.ids import uuid7
from kit.paging import ListFilters, decode_cursor
from kit.rebuilds import Settled
from kit.rebuilds.schemas import Failure, RebuildIn, RebuildState, TableDifferences

_DOCUMENTS = ("re_emissions", "differences", "settled")
_COLUMNS = (
    *("id", "source", "dry_run", "reason", "requested_by", "requested_at", "state", "attempts", "started_at"),
    *("finished_at", "events_read", "events_expected", "unreadable", "failing", "place", "failure", "failure_detail"),
)
# every service has its own MetaData with this table (tables.py); the queries are the same for all
_JOBS = sa.table(
    "rebuilds",
    *(sa.column(name) for name in _COLUMNS),
    *(sa.column(name, JSONB(none_as_null=True)) for name in _DOCUMENTS),
)
_ROW: Any = _JOBS.c
_UNDER_WAY = _ROW.finished_at.is_(None)


class Overtaken(Exception):
    """Another process runs the rebuild by now."""


async def add(session: AsyncSession, caller: Caller, asked: RebuildIn, state: RebuildState) -> Any:
    """Add a rebuild.

    Raises:
        Conflict: one is under way.
    """
    row = {
        "id": uuid7(),
        **asked.model_dump(mode="json", include={"source", "re_emissions", "reason", "dry_run"}),
        "requested_by": caller.id,
        "requested_at": clock.now(),
        "state": state.value,
    }
    added = (
        await session.execute(insert(_JOBS).values(row).on_conflict_do_nothing().returning(*_JOBS.c))
    ).one_or_none()
    if added is None:
        existing = await session.scalar(sa.select(_ROW.id).where(_UNDER_WAY))
        raise problems.Conflict("a rebuild is under way here; one at a time", existing_id=str(existing))
    return added


async def find(session: AsyncSession, number: UUID, *, lock: bool = False) -> Any:
    """A rebuild; `lock` keeps others from changing it meanwhile.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(_JOBS).where(_ROW.id == number)
    found = (await session.execute(query.with_for_update() if lock else query)).one_or_none()
    if found is None:
        raise problems.NotFound(f"no rebuild {number} is visible to you")
    return found


async def list_page(session: AsyncSession, filters: ListFilters) -> Sequence[Any]:
    """One item more than a page of rebuilds, newest first."""
    query = sa.select(_JOBS)
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(_ROW.id < after[0])
    return (await session.execute(query.order_by(_ROW.id.desc()).limit(filters.limit + 1))).all()


async def under_way(session: AsyncSession) -> Any | None:
    """The rebuild that has not ended, if there is one."""
    return (await session.execute(sa.select(_JOBS).where(_UNDER_WAY))).one_or_none()


async def in_doubt(session: AsyncSession) -> bool:
    """Whether the projection is about to be put right."""
    states = [state.value for state in (RebuildState.WAITING, RebuildState.QUEUED, RebuildState.READING)]
    query = sa.select(sa.exists().where(_UNDER_WAY, _ROW.state.in_(states), _ROW.dry_run.is_(False)))
    return bool(await session.scalar(query))


async def queue(session: AsyncSession, number: UUID, re_emissions: Sequence[Mapping[str, Any]]) -> Any:
    """Let a waiting rebuild begin, from these re-emissions."""
    return await _update(session, number, {"re_emissions": re_emissions, "state": RebuildState.QUEUED.value})


async def begin(session: AsyncSession, number: UUID) -> Any:
    """Note that a run begins: the row as it was before, and held."""
    query = sa.select(_JOBS).where(_ROW.id == number).with_for_update()
    job = (await session.execute(query)).one()
    if job.finished_at is not None:
        raise Overtaken
    values: dict[str, Any] = {"attempts": job.attempts + 1, "started_at": job.started_at or clock.now()}
    if job.state != RebuildState.SETTLING:
        values |= {"state": RebuildState.READING.value, "events_read": 0, "unreadable": 0, "failing": 0}
    return await _update(session, number, values)


async def hold(session: AsyncSession, job: Any) -> Any:
    """The row as it is now, held until the transaction ends.

    Raises:
        Overtaken: another run has begun, or the rebuild has ended.
    """
    query = sa.select(_JOBS).where(_ROW.id == job.id, _ROW.attempts == job.attempts, _UNDER_WAY).with_for_update()
    held = (await session.execute(query)).one_or_none()
    if held is None:
        raise Overtaken
    return held


async def note_reading(session: AsyncSession, job: Any, **numbers: int) -> None:
    """Note how far reading has come.

    Raises:
        Overtaken: another run has begun.
    """
    await hold(session, job)
    await _update(session, job.id, numbers)


async def note_differences(
    session: AsyncSession, job: Any, differences: Mapping[str, TableDifferences], state: RebuildState
) -> None:
    """Note what was written, or would be; `state` is what follows."""
    values = {
        "differences": {table: found.model_dump() for table, found in differences.items()},
        "state": state.value,
        "finished_at": clock.now() if state is RebuildState.DONE else None,
    }
    await _update(session, job.id, values)


async def note_settled(session: AsyncSession, job: Any, chunk: Settled, place: str | None) -> None:
    """Add up what was settled; where there are no more (place None) the rebuild is done."""
    before = job.settled or asdict(Settled())
    values: dict[str, Any] = {
        "settled": {name: before[name] + number for name, number in asdict(chunk).items()},
        "place": place,
    }
    if place is None:
        values |= {"state": RebuildState.DONE.value, "finished_at": clock.now()}
    await _update(session, job.id, values)


async def fail(session: AsyncSession, job: Any, failure: Failure, detail: str) -> Any:
    """End a rebuild without a result."""
    ended = {"state": RebuildState.FAILED.value, "finished_at": clock.now()}
    return await _update(session, job.id, {**ended, "failure": failure.value, "failure_detail": detail})


async def _update(session: AsyncSession, number: UUID, values: dict[str, Any]) -> Any:
    statement = sa.update(_JOBS).where(_ROW.id == number).values(values).returning(*_JOBS.c)
    return (await session.execute(statement)).one()
