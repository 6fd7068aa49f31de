"""Queries of the re-emissions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit import clock, problems, touched
from kit.access import Caller
from kit.ids import uuid7
from kit.paging import ListFilters, decode_cursor
from kit.re_emissions.schemas import ReEmissionState
from kit.scoping import subtree

_COLUMNS = (
    *("id", "region_code", "reason", "requested_by", "requested_at", "state", "started_at", "written_at"),
    *("finished_at", "place", "events", "first_event", "last_event", "feed_id", "first_position", "last_position"),
    *("attempts", "failure"),
)
# every service has its own MetaData with this table (tables.py); the queries are the same for all
_JOBS = sa.table("re_emissions", *(sa.column(name) for name in _COLUMNS))
_ROW: Any = _JOBS.c
_PLACES = sa.text(
    "SELECT feed_id, (SELECT position FROM outbox WHERE event_id = :first) AS first, "
    "(SELECT position FROM outbox WHERE event_id = :last) AS last FROM publication"
)
_WAITING = sa.text(
    "SELECT (SELECT count(*) FROM outbox WHERE position IS NULL) "
    "+ coalesce((SELECT position - published FROM publication), 0)"
)


async def add(session: AsyncSession, caller: Caller, region: str | None, reason: str) -> Any:
    """Queue a re-emission."""
    row = {
        "id": uuid7(),
        "region_code": region,
        "reason": reason,
        "requested_by": caller.id,
        "requested_at": clock.now(),
        "state": ReEmissionState.QUEUED.value,
    }
    return (await session.execute(sa.insert(_JOBS).values(row).returning(*_JOBS.c))).one()


async def find(session: AsyncSession, caller: Caller, number: UUID) -> Any:
    """A re-emission whose region lies in the caller's.

    Raises:
        NotFound: there is none, or it is outside the caller's region.
    """
    query = sa.select(_JOBS).where(_ROW.id == number, subtree(_ROW.region_code, caller.region))
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise problems.NotFound(f"no re-emission {number} is visible to you")
    touched.note(found.region_code)
    return found


async def list_page(session: AsyncSession, caller: Caller, filters: ListFilters) -> Sequence[Any]:
    """One item more than a page of re-emissions, newest first."""
    query = sa.select(_JOBS).where(subtree(_ROW.region_code, caller.region))
    after = decode_cursor(filters.cursor, UUID)
    if after is not None:
        query = query.where(_ROW.id < after[0])
    return (await session.execute(query.order_by(_ROW.id.desc()).limit(filters.limit + 1))).all()


async def claim(session: AsyncSession) -> Any | None:
    """The oldest unfinished re-emission that no other worker holds; held until the transaction ends."""
    query = (
        sa.select(_JOBS).where(_ROW.finished_at.is_(None)).order_by(_ROW.id).limit(1).with_for_update(skip_locked=True)
    )
    return (await session.execute(query)).one_or_none()


async def waiting(session: AsyncSession) -> int:
    """Events of the outbox that the stream does not have yet."""
    return int((await session.execute(_WAITING)).scalar_one())


async def advance(session: AsyncSession, job: Any, events: Sequence[Event], place: str | None) -> None:
    """Note a chunk: where it ended (None: there are no more), and its events."""
    now = clock.now()
    values: dict[str, Any] = {
        "state": ReEmissionState.RUNNING.value,
        "started_at": job.started_at or now,
        "place": place,
        "written_at": now if place is None else None,
        "events": job.events + len(events),
        "attempts": 0,
    }
    if events:
        values |= {"first_event": job.first_event or events[0].id, "last_event": events[-1].id}
    await _update(session, job.id, values)


async def finish(session: AsyncSession, job: Any) -> bool:
    """End a re-emission whose events are all written, as soon as they have their positions; whether they have."""
    feed, first, last = (await session.execute(_PLACES, {"first": job.first_event, "last": job.last_event})).one()
    if job.last_event is not None and last is None:
        return False
    values = {"feed_id": feed, "first_position": first, "last_position": last}
    await _update(session, job.id, {**values, "state": ReEmissionState.DONE.value, "finished_at": clock.now()})
    return True


async def note_failure(session: AsyncSession, number: UUID, reason: str, most: int) -> None:
    """One attempt more that failed; after `most` of them without a chunk in between the re-emission is given up."""
    attempts = (await _update(session, number, {"attempts": _ROW.attempts + 1})).attempts
    if attempts >= most:
        ended = {"state": ReEmissionState.FAILED.value, "finished_at": clock.now(), "failure": reason}
        await _update(session, number, ended)


async def _update(session: AsyncSession, number: UUID, values: dict[str, Any]) -> Any:
    statement = sa.update(_JOBS).where(_ROW.id == number).values(values).returning(*_JOBS.c)
    return (await session.execute(statement)).one()
