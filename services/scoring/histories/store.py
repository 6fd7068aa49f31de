"""Queries of the histories room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit.database import fetch_rows
from kit.scoping import subtree
from services.scoring.histories.rules import NONE, Change
from services.scoring.histories.tables import PeriodAssessment, SupersededAssessment
from services.scoring.villages.store import ACTIVE
from services.scoring.villages.tables import Village

_TABLE: sa.Table = PeriodAssessment.__table__  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_COLUMNS = tuple(_TABLE.columns.keys())
_JSON = ("scores", "indexes")
_READ = ", ".join(f"p.{name}::text" if name in _JSON else f"p.{name}" for name in _COLUMNS)
_KNOWN = (
    f"SELECT {_READ} FROM unnest($1::uuid[], $2::text[]) AS w(village, since) "  # noqa: S608 - names of columns, from our code only
    "JOIN period_assessments p ON p.village_id = w.village AND p.period >= coalesce((SELECT max(b.period) "
    "FROM period_assessments b WHERE b.village_id = w.village AND b.period < w.since), '') "
    "ORDER BY p.village_id, p.period"
)
_NAMES = ", ".join(_COLUMNS)
_REPLACE = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in {"village_id", "period"})
_KEPT = [column.name for column in SupersededAssessment.__table__.columns if column.name != "superseded_at"]  # type: ignore[attr-defined]  # as above
_WRITE = sa.text(
    "WITH new AS (SELECT * FROM jsonb_populate_recordset(NULL::period_assessments, cast(:rows AS jsonb))), "  # noqa: S608 - names of columns, from our code only
    f"old AS (INSERT INTO superseded_assessments ({', '.join(_KEPT)}, superseded_at) "
    f"SELECT {', '.join(f'p.{name}' for name in _KEPT)}, :now "
    "FROM period_assessments p JOIN new USING (village_id, period) WHERE p.revision < new.revision) "
    f"INSERT INTO period_assessments ({_NAMES}) SELECT {_NAMES} FROM new "
    f"ON CONFLICT (village_id, period) DO UPDATE SET {_REPLACE}"
)


# one constant for the index's condition and ours; period_assessments is the only table here that has both columns
_CLASS_OR_NONE = f"coalesce(village_class, '{NONE}')"


async def known(session: AsyncSession, since: Mapping[UUID, str]) -> dict[UUID, list[dict[str, Any]]]:
    """The rows of villages from a month on, and of each village the one before that month; oldest first."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for values in await fetch_rows(session, _KNOWN, list(since), list(since.values())):
        row = dict(zip(_COLUMNS, values, strict=True))
        for name in _JSON:
            row[name] = orjson.loads(row[name])
        found.setdefault(row["village_id"], []).append(row)
    return found


async def write(session: AsyncSession, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Insert or replace rows; what had another revision is kept as superseded. Whoever calls holds the villages."""
    if not rows:
        return
    await session.execute(_WRITE, {"rows": orjson.dumps(rows, default=str).decode(), "now": now})


async def months_of(session: AsyncSession, village: UUID, before: str | None, limit: int) -> Sequence[PeriodAssessment]:
    """A village's months, newest first, from before a month on."""
    query = select(PeriodAssessment).where(col(PeriodAssessment.village_id) == village)
    if before is not None:
        query = query.where(col(PeriodAssessment.period) < before)
    query = query.order_by(col(PeriodAssessment.period).desc()).limit(limit)
    return (await session.scalars(query)).all()


async def superseded(
    session: AsyncSession, village: UUID, periods: Sequence[str]
) -> dict[str, list[SupersededAssessment]]:
    """What was said of a village's months before, oldest revision first."""
    query = (
        select(SupersededAssessment)
        .where(col(SupersededAssessment.village_id) == village, col(SupersededAssessment.period).in_(periods))
        .order_by(col(SupersededAssessment.period), col(SupersededAssessment.revision))
    )
    found: dict[str, list[SupersededAssessment]] = {}
    for one in (await session.scalars(query)).all():
        found.setdefault(one.period, []).append(one)
    return found


async def changes(session: AsyncSession, region: str | None, until: str) -> list[Change]:
    """How many active villages of a region changed from which class to which, month by month, up to a month.

    The month's own condition is that of the index, word for word, or it would not be used.
    """
    before, after = col(PeriodAssessment.previous_class), sa.literal_column(_CLASS_OR_NONE, sa.Text)
    query = (
        select(col(PeriodAssessment.period), before, after, func.count())
        .join(Village, col(Village.id) == col(PeriodAssessment.village_id))
        .where(before.is_distinct_from(after), col(PeriodAssessment.period) <= until)
        .where(col(Village.status) == ACTIVE, subtree(col(Village.region_code), region))
        .group_by(col(PeriodAssessment.period), before, after)
    )
    return [Change(*row) for row in (await session.execute(query)).all()]


async def active_villages(session: AsyncSession, region: str | None) -> int:
    """How many active villages a region has now."""
    query = select(func.count()).where(col(Village.status) == ACTIVE, subtree(col(Village.region_code), region))
    return int(await session.scalar(query) or 0)
