"""Queries of the villages projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.regions import parse_region_code
from kit import problems
from kit.access import Caller
from services.interventions.villages.tables import Village

ACTIVE = "active"


def within(region: str | None) -> ColumnElement[bool] | None:
    """Condition that a village lies in a region; None where the region is the whole country."""
    if region is None:
        return None
    code = col(Village.region_code)
    return or_(code == region, code.startswith(region + ".", autoescape=True))


def _by_reference(caller: Caller, reference: str, pointer: str) -> ColumnElement[bool]:
    """Condition for an id, or for the active Kampung KB of a region code."""
    try:
        return col(Village.id) == UUID(reference)
    except ValueError:
        pass
    try:
        code = parse_region_code(reference)
    except ValueError as error:
        raise problems.Invalid(str(error), errors=[{"pointer": pointer, "detail": str(error)}]) from error
    caller.narrow(code)
    return (col(Village.region_code) == code) & (col(Village.status) == ACTIVE)


async def find(session: AsyncSession, caller: Caller, reference: str, pointer: str) -> Village:
    """The village of an id or region code, if it is known here and the caller may see it.

    Raises:
        VillageUnknown: there is none, it is outside the caller's region, or news of it has not arrived yet.
        RegionForbidden: the region code is outside the caller's region.
        Invalid: the reference is neither an id nor a region code; `pointer` says where it stands in the request.
    """
    query = select(Village).where(_by_reference(caller, reference, pointer))
    visible = within(caller.region)
    if visible is not None:
        query = query.where(visible)
    # two can be active for a moment, when news of a replacement arrives before news of what it replaces
    village = (await session.scalars(query.order_by(col(Village.id).desc()).limit(1))).one_or_none()
    if village is None:
        raise problems.VillageUnknown(
            f"no Kampung KB {reference} is visible to you; one that was registered just now may not be known here yet: "
            "try again in a moment"
        )
    return village


async def keep_newest(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert or update villages, each unless a newer version is here; the same version again repairs a row."""
    statement = insert(Village).values(list(rows))
    changes = {name: statement.excluded[name] for name in rows[0] if name != "id"}
    not_older = col(Village.version) <= statement.excluded.version
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes, where=not_older))
