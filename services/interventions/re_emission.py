"""The present state of interventions as events; withdrawn ones too, because whoever holds them must let them go."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.events import Event
from kit.scoping import subtree
from services.interventions.interventions.actions import event_of
from services.interventions.interventions.schemas import Change
from services.interventions.interventions.tables import Intervention
from services.interventions.villages.tables import Village


async def re_emit(
    session: AsyncSession, region: str | None, after: str | None, limit: int
) -> tuple[Sequence[Event], str | None]:
    """Events of the next interventions after an id, by id, each as the kind of change that left it as it is."""
    query = (
        select(Intervention, Village)
        .join(Village, col(Village.id) == col(Intervention.village_id))
        .where(subtree(col(Village.region_code), region))
        .order_by(col(Intervention.id))
        .limit(limit)
        .with_for_update(of=Intervention, key_share=True)
    )
    if after is not None:
        query = query.where(col(Intervention.id) > UUID(after))
    found = (await session.execute(query)).all()
    events = [event_of(intervention, village, _last_change(intervention)) for intervention, village in found]
    return events, str(found[-1][0].id) if len(found) == limit else None


def _last_change(intervention: Intervention) -> Change:
    if intervention.withdrawn_at is not None:
        return Change.WITHDRAWN
    return Change.RECORDED if intervention.version == 1 else Change.CORRECTED
