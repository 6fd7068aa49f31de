"""Queries of the villages projection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.scoping import subtree, village_reference
from services.interventions.villages.tables import Village

ACTIVE = "active"


def _by_reference(caller: Caller, reference: str, pointer: str) -> ColumnElement[bool]:
    """Condition for an id, or for the active Kampung KB of a region code."""
    named = village_reference(reference, pointer)
    if isinstance(named, UUID):
        return col(Village.id) == named
    caller.narrow(named)
    return (col(Village.region_code) == named) & (col(Village.status) == ACTIVE)


async def find(session: AsyncSession, caller: Caller, reference: str, pointer: str) -> Village:
    """The village of an id or region code, if it is known here and the caller may see it.

    Raises:
        VillageUnknown: there is none, it is outside the caller's region, or news of it has not arrived yet.
        RegionForbidden: the region code is outside the caller's region.
        Invalid: the reference is neither an id nor a region code; `pointer` says where it stands in the request.
    """
    query = select(Village).where(
        _by_reference(caller, reference, pointer), subtree(col(Village.region_code), caller.region)
    )
    # two can be active for a moment, when news of a replacement arrives before news of what it replaces
    village = (await session.scalars(query.order_by(col(Village.id).desc()).limit(1))).one_or_none()
    if village is None:
        raise problems.VillageUnknown(
            f"no Kampung KB {reference} is visible to you; one that was registered just now may not be known here yet: "
            "try again in a moment"
        )
    touched.note(village.region_code)
    return village


async def keep_newest(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> int:
    """Insert or update villages, each unless a newer version is here; how many were. The same version repairs a row."""
    statement = insert(Village).values(list(rows))
    changes = {name: statement.excluded[name] for name in rows[0] if name != "id"}
    not_older = col(Village.version) <= statement.excluded.version
    kept = statement.on_conflict_do_update(index_elements=["id"], set_=changes, where=not_older).returning(
        col(Village.id)
    )
    return len((await session.scalars(kept)).all())
