"""Queries of the assessments room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.database import fetch_rows
from kit.scoping import subtree
from services.scoring.assessments.rules import VERDICT, CompletenessBand
from services.scoring.assessments.tables import Assessment
from services.scoring.villages.store import by_reference
from services.scoring.villages.tables import Village

_TABLE: sa.Table = Assessment.__table__  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_COLUMNS = tuple(_TABLE.columns.keys())
_JSON = ("scores", "indexes", "reasons", "newest_periods", "readiness")
_REPLACE = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "village_id")
_NAMES = ", ".join(_COLUMNS)
_WRITE = sa.text(
    f"INSERT INTO assessments ({_NAMES}) "  # noqa: S608 - names of columns, from our code only
    f"SELECT {_NAMES} FROM jsonb_populate_recordset(NULL::assessments, cast(:rows AS jsonb)) "
    f"ON CONFLICT (village_id) DO UPDATE SET {_REPLACE}"
)
_READ = ", ".join(f"coalesce({name}::text, 'null')" if name in _JSON else name for name in _COLUMNS)
_CURRENT = f"SELECT {_READ} FROM assessments WHERE village_id = ANY($1)"  # noqa: S608 - names of columns, from our code only
_ANNOUNCED = sa.text(
    "SELECT e.entity, o.body FROM unnest(cast(:entities AS text[])) AS e(entity) CROSS JOIN LATERAL ("
    "SELECT body FROM outbox WHERE outbox.entity = e.entity ORDER BY position DESC NULLS FIRST, id DESC LIMIT 1) AS o"
)


def in_bands(answered: ColumnElement[int], asked: ColumnElement[int]) -> dict[CompletenessBand, ColumnElement[bool]]:
    """Conditions of the bands of completeness; of any assessment exactly one is true."""
    half, most = 50 * asked, 80 * asked
    return {
        CompletenessBand.NOTHING: answered == 0,
        CompletenessBand.LITTLE: (answered > 0) & (100 * answered < half),
        CompletenessBand.HALF: (100 * answered >= half) & (100 * answered < most),
        CompletenessBand.MOST: (100 * answered >= most) & (answered < asked),
        CompletenessBand.ALL: (answered == asked) & (answered > 0),
    }


IN_BAND: Mapping[CompletenessBand, ColumnElement[bool]] = in_bands(_TABLE.c.answered, _TABLE.c.asked)
_LEFT_BEHIND = (
    "FROM villages v LEFT JOIN assessments a ON a.village_id = v.id "
    "WHERE v.version > 0 AND (a.ruleset_digest IS DISTINCT FROM :digest OR a.newest_periods IS NULL "
    "OR a.due_on <= :today)"
)
_OUTDATED = sa.text(f"SELECT v.id {_LEFT_BEHIND} AND v.id > :after ORDER BY v.id LIMIT :limit")
_COUNT_OUTDATED = sa.text(f"SELECT count(*) {_LEFT_BEHIND}")


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
    assessed = Assessed(*found)
    touched.note(assessed.village.region_code)
    return assessed


async def current(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Assessments by village, as plain rows: thousands at a time need no objects."""
    found = {}
    for row in await fetch_rows(session, _CURRENT, list(ids)):
        one = dict(zip(_COLUMNS, row, strict=True))
        for name in _JSON:
            one[name] = orjson.loads(one[name])
        found[one["village_id"]] = one
    return found


async def announced(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """What was last told of villages' assessments, as far as it was: verdict, reasons, version and since when it holds.

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
        "reasons": data.get("reasons", {}),  # version 1 tells of rulesets that leave nothing out
        "version": data["village"]["version"],
        "assessed_at": datetime.fromisoformat(data["assessed_at"]),
    }


async def write(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or replace assessments; whoever calls holds their villages' rows."""
    if not rows:
        return
    await session.execute(_WRITE, {"rows": orjson.dumps(rows, default=str).decode()})


async def outdated(session: AsyncSession, digest: str, today: date, after: UUID, limit: int) -> list[UUID]:
    """The next villages after an id, by id, that are left behind.

    Such have no whole assessment under the ruleset document of this digest, or one that time may have changed by today.
    """
    given = {"digest": digest, "today": today, "after": after, "limit": limit}
    return list((await session.execute(_OUTDATED, given)).scalars())


async def count_outdated(session: AsyncSession, digest: str, today: date) -> int:
    """How many villages are left behind: under another ruleset document than of this digest, or by time."""
    return int(await session.scalar(_COUNT_OUTDATED, {"digest": digest, "today": today}) or 0)
