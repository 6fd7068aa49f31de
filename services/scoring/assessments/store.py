"""Queries of the assessments room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems
from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.scoring.assessments.rules import VERDICT
from services.scoring.assessments.schemas import AssessmentFilters
from services.scoring.assessments.tables import Assessment
from services.scoring.villages.store import by_reference
from services.scoring.villages.tables import Village

_WRITE = sa.text(
    "INSERT INTO assessments (village_id, region_code, active, without_reports, ruleset, ruleset_digest, "
    "village_class, scores, indexes, answered, asked, simulated, version, assessed_at) "
    "SELECT * FROM unnest(cast(:village_id AS uuid[]), cast(:region_code AS text[]), cast(:active AS bool[]), "
    "cast(:without_reports AS bool[]), cast(:ruleset AS text[]), cast(:ruleset_digest AS text[]), "
    "cast(:village_class AS text[]), cast(:scores AS jsonb[]), cast(:indexes AS jsonb[]), cast(:answered AS int[]), "
    "cast(:asked AS int[]), cast(:simulated AS bool[]), cast(:version AS int[]), cast(:assessed_at AS timestamptz[])) "
    "ON CONFLICT (village_id) DO UPDATE SET region_code = excluded.region_code, active = excluded.active, "
    "without_reports = excluded.without_reports, ruleset = excluded.ruleset, "
    "ruleset_digest = excluded.ruleset_digest, village_class = excluded.village_class, scores = excluded.scores, "
    "indexes = excluded.indexes, answered = excluded.answered, asked = excluded.asked, "
    "simulated = excluded.simulated, version = excluded.version, assessed_at = excluded.assessed_at"
)
_TABLE: sa.Table = Assessment.__table__  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_COLUMNS = tuple(_TABLE.columns.keys())
_ANNOUNCED = sa.text(
    "SELECT e.entity, o.body FROM unnest(cast(:entities AS text[])) AS e(entity) CROSS JOIN LATERAL ("
    "SELECT body FROM outbox WHERE outbox.entity = e.entity ORDER BY position DESC NULLS FIRST, id DESC LIMIT 1) AS o"
)
_OUTDATED = sa.text(
    "SELECT v.id FROM villages v LEFT JOIN assessments a ON a.village_id = v.id "
    "WHERE v.version > 0 AND v.id > :after AND a.ruleset_digest IS DISTINCT FROM :digest ORDER BY v.id LIMIT :limit"
)


@dataclass(frozen=True)
class Assessed:
    """An assessment with its village."""

    assessment: Assessment
    village: Village


def _visible(region: str | None) -> Select[Assessment, Village]:
    query = select(Assessment, Village).join(Village, col(Village.id) == col(Assessment.village_id))
    return query.where(subtree(col(Assessment.region_code), region))


async def find(session: AsyncSession, caller: Caller, reference: str) -> Assessed:
    """The assessment of a village by id or region code, if the caller may see it.

    Raises:
        VillageUnknown: there is none, it is outside the caller's region, or the registry has not told of it yet.
        Invalid: the reference is neither an id nor a region code.
    """
    # Of two active villages of one desa (the older's end is still on its way) the newer is meant.
    query = _visible(caller.region).where(by_reference(reference)).order_by(col(Village.id).desc()).limit(1)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise problems.VillageUnknown(f"no Kampung KB {reference} is visible to you")
    return Assessed(*found)


async def list_page(session: AsyncSession, caller: Caller, filters: AssessmentFilters) -> list[Assessed]:
    """One item more than a page of active villages' assessments, by region code and village id."""
    query = _visible(caller.narrow(filters.region)).where(col(Assessment.active))
    if filters.village_class is not None:
        query = query.where(col(Assessment.village_class) == filters.village_class)
    if filters.simulated is not None:
        query = query.where(col(Assessment.simulated) == filters.simulated)
    code, number = col(Assessment.region_code), col(Assessment.village_id)
    after = decode_cursor(filters.cursor, str, UUID)
    if after is not None:
        query = query.where((code > after[0]) | ((code == after[0]) & (number > after[1])))
    query = query.order_by(code, number).limit(filters.limit + 1)
    return [Assessed(*row) for row in (await session.execute(query)).all()]


async def current(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Assessments by village, as plain rows: thousands at a time need no objects."""
    query = select(_TABLE).where(_TABLE.c.village_id.in_(set(ids)))
    return {row["village_id"]: dict(row) for row in (await session.execute(query)).mappings()}


async def announced(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """What was last told of villages' assessments, as far as it was: the verdict, its version and since when it holds.

    The outbox keeps the newest event of each assessment for ever.
    """
    villages = {f"assessment/{village}": village for village in ids}
    if not villages:
        return {}
    found = (await session.execute(_ANNOUNCED, {"entities": list(villages)})).all()
    return {villages[entity]: _told(orjson.loads(body)["data"]) for entity, body in found}


def _told(data: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: data[name] for name in VERDICT},
        "version": data["village"]["version"],
        "assessed_at": datetime.fromisoformat(data["assessed_at"]),
    }


async def write(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or replace assessments; whoever calls holds their villages' rows."""
    if not rows:
        return
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _COLUMNS}
    for name in ("scores", "indexes"):
        columns[name] = [orjson.dumps(value).decode() for value in columns[name]]
    await session.execute(_WRITE, columns)


async def outdated(session: AsyncSession, digest: str, after: UUID, limit: int) -> list[UUID]:
    """The next villages after an id, by id, that have no assessment under the ruleset document of this digest."""
    return list((await session.execute(_OUTDATED, {"digest": digest, "after": after, "limit": limit})).scalars())
