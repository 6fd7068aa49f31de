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

from kit.scoping import subtree
from services.scoring.histories.rules import Change
from services.scoring.histories.tables import PeriodAssessment, SupersededAssessment
from services.scoring.villages.store import ACTIVE
from services.scoring.villages.tables import Village

_TABLE: sa.Table = PeriodAssessment.__table__  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_COLUMNS = tuple(_TABLE.columns.keys())
_KNOWN = sa.text(
    "SELECT p.* FROM unnest(cast(:ids AS uuid[]), cast(:since AS text[])) AS w(village, since) "
    "JOIN period_assessments p ON p.village_id = w.village AND p.period >= coalesce((SELECT max(b.period) "
    "FROM period_assessments b WHERE b.village_id = w.village AND b.period < w.since), '') "
    "ORDER BY p.village_id, p.period"
).columns(scores=_TABLE.c.scores.type, indexes=_TABLE.c.indexes.type)
_WRITE = sa.text(
    "WITH new AS (SELECT * FROM unnest(cast(:village_id AS uuid[]), cast(:period AS text[]), cast(:revision AS int[]), "
    "cast(:ruleset AS text[]), cast(:ruleset_digest AS text[]), cast(:village_class AS text[]), "
    "cast(:previous_class AS text[]), cast(:scores AS jsonb[]), cast(:indexes AS jsonb[]), cast(:answered AS int[]), "
    "cast(:asked AS int[]), cast(:simulated AS bool[]), cast(:assessed_at AS timestamptz[])) AS n(village_id, period, "
    "revision, ruleset, ruleset_digest, village_class, previous_class, scores, indexes, answered, asked, simulated, "
    "assessed_at)), "
    "old AS (INSERT INTO superseded_assessments (village_id, period, revision, ruleset, ruleset_digest, village_class, "
    "scores, indexes, answered, asked, simulated, assessed_at, superseded_at) "
    "SELECT p.village_id, p.period, p.revision, p.ruleset, p.ruleset_digest, p.village_class, p.scores, p.indexes, "
    "p.answered, p.asked, p.simulated, p.assessed_at, :now "
    "FROM period_assessments p JOIN new USING (village_id, period) WHERE p.revision < new.revision) "
    "INSERT INTO period_assessments (village_id, period, revision, ruleset, ruleset_digest, village_class, "
    "previous_class, scores, indexes, answered, asked, simulated, assessed_at) SELECT * FROM new "
    "ON CONFLICT (village_id, period) DO UPDATE SET revision = excluded.revision, ruleset = excluded.ruleset, "
    "ruleset_digest = excluded.ruleset_digest, village_class = excluded.village_class, "
    "previous_class = excluded.previous_class, scores = excluded.scores, indexes = excluded.indexes, "
    "answered = excluded.answered, asked = excluded.asked, simulated = excluded.simulated, "
    "assessed_at = excluded.assessed_at"
)


async def known(session: AsyncSession, since: Mapping[UUID, str]) -> dict[UUID, list[dict[str, Any]]]:
    """The rows of villages from a month on, and of each village the one before that month; oldest first."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    rows = await session.execute(_KNOWN, {"ids": list(since), "since": list(since.values())})
    for row in rows.mappings():
        found.setdefault(row["village_id"], []).append(dict(row))
    return found


async def write(session: AsyncSession, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Insert or replace rows; what had another revision is kept as superseded. Whoever calls holds the villages."""
    if not rows:
        return
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _COLUMNS}
    for name in ("scores", "indexes"):
        columns[name] = [orjson.dumps(value).decode() for value in columns[name]]
    await session.execute(_WRITE, {**columns, "now": now})


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
    """How many active villages of a region changed from which class to which, month by month, up to a month."""
    before, after = col(PeriodAssessment.previous_class), col(PeriodAssessment.village_class)
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
