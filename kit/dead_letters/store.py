"""Queries of the dead letters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from kit import clock, problems, touched
from kit.access import Caller
from kit.dead_letters.schemas import DeadLetterFilters, Outcome
from kit.paging import decode_cursor
from kit.scoping import subtree

_LONGEST_REASON = 2_000
_COLUMNS = (
    *("id", "consumer", "subject", "region_code", "stream_sequence", "body", "reason", "attempts"),
    *("created_at", "failed_at", "outcome", "resolved_at", "resolved_by", "resolution"),
)
# every service has its own MetaData with this table (kit.database.own_metadata); the queries are the same for all
_LETTERS = sa.table("dead_letters", *(sa.column(name) for name in _COLUMNS))
_ROW: Any = _LETTERS.c
_BURY = sa.text(
    "INSERT INTO dead_letters (consumer, subject, region_code, stream_sequence, body, digest, reason, attempts) "
    "VALUES (:consumer, :subject, :region_code, :stream_sequence, :body, :digest, :reason, :attempts) "
    "ON CONFLICT (consumer, digest) WHERE outcome IS NULL DO UPDATE SET reason = excluded.reason, failed_at = now(), "
    # the stream counts deliveries itself: the same message buried again was tried once more, a copy as often as it says
    "attempts = dead_letters.attempts + CASE WHEN dead_letters.stream_sequence = excluded.stream_sequence THEN 1 "
    "ELSE excluded.attempts END"
)
_COUNT_OPEN = sa.text("SELECT consumer, count(*) AS number FROM dead_letters WHERE outcome IS NULL GROUP BY consumer")


@dataclass(frozen=True)
class Letter:
    """A message to be put aside: which consumer could not handle it, where it came from, why it failed."""

    consumer: str
    subject: str
    region_code: str | None
    stream_sequence: int
    body: bytes
    reason: str
    attempts: int


async def bury(session: AsyncSession, letter: Letter) -> None:
    """Put a message aside; one whose open dead letter is there already is noted on that one."""
    reason = storable(letter.reason)
    digest = hashlib.sha256(letter.body).digest()
    await session.execute(_BURY, vars(letter) | {"reason": reason, "digest": digest})


def storable(reason: str) -> str:
    """A reason as PostgreSQL can hold it: what an error repeats of a broken message may be no proper text."""
    text = reason.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
    return text[:_LONGEST_REASON]


async def find(session: AsyncSession, caller: Caller, number: int, *, lock: bool = False) -> Any:
    """A dead letter the caller may see; `lock` keeps others from resolving it meanwhile.

    Raises:
        DeadLetterUnknown: there is none, or it is outside the caller's region.
    """
    query = sa.select(_LETTERS).where(_ROW.id == number, subtree(_ROW.region_code, caller.region))
    if lock:
        query = query.with_for_update()
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise problems.DeadLetterUnknown(f"no dead letter {number} is visible to you")
    touched.note(found.region_code)
    return found


async def list_page(session: AsyncSession, caller: Caller, filters: DeadLetterFilters) -> Sequence[Any]:
    """One item more than a page of dead letters, newest first."""
    outcome = None if filters.outcome is Outcome.OPEN else filters.outcome.value
    query = sa.select(_LETTERS).where(
        subtree(_ROW.region_code, caller.narrow(filters.region)), _ROW.outcome.is_not_distinct_from(outcome)
    )
    if filters.consumer is not None:
        query = query.where(_ROW.consumer == filters.consumer)
    after = decode_cursor(filters.cursor, int)
    if after is not None:
        query = query.where(_ROW.id < after[0])
    return (await session.execute(query.order_by(_ROW.id.desc()).limit(filters.limit + 1))).all()


async def note_failure(session: AsyncSession, number: int, reason: str) -> None:
    """One attempt more that failed."""
    await _update(session, number, attempts=_ROW.attempts + 1, reason=storable(reason), failed_at=clock.now())


async def resolve(
    session: AsyncSession, number: int, outcome: Outcome, caller: Caller, resolution: str | None = None
) -> Any:
    """Close a dead letter; the row as it is then."""
    values = {"outcome": outcome.value, "resolved_at": clock.now(), "resolved_by": caller.id, "resolution": resolution}
    return await _update(session, number, **values)


async def _update(session: AsyncSession, number: int, **values: Any) -> Any:
    statement = sa.update(_LETTERS).where(_ROW.id == number).values(**values).returning(*_LETTERS.c)
    return (await session.execute(statement)).one()


async def count_open(connection: AsyncConnection) -> dict[str, int]:
    """Open dead letters by consumer; consumers without any are left out."""
    return {row.consumer: row.number for row in await connection.execute(_COUNT_OPEN)}
