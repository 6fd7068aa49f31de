"""What happens when the interventions service tells of interventions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Event,
    InterventionCorrected,
    InterventionRecorded,
    InterventionState,
    InterventionWithdrawn,
)
from services.scoring.assessments.actions import assess
from services.scoring.histories.rules import earliest
from services.scoring.interventions import store
from services.scoring.villages import store as villages


async def take_intervention_events(session: AsyncSession, events: Sequence[Event]) -> int:
    """Fold intervention events, then assess the villages of which they change something."""
    changed, stale = await fold_intervention_events(session, events)
    await assess(session, changed)
    return stale


async def fold_intervention_events(session: AsyncSession, events: Sequence[Event]) -> tuple[dict[UUID, str], int]:
    """Fold intervention events; villages with the month they change from, and how many events were stale.

    The changed villages' rows are held. Any order and any repetition gives the same: of each intervention only the newest
    version stays. Where a correction moves one to another village, both change.
    """
    states = _newest(events)
    if not states:
        return {}, 0
    codes = {state.village.id: state.village.region_code for state in states}
    await villages.introduce(session, codes)
    before = await store.claim(session, states)
    await villages.lock(session, {*(village for village, _ in before.values()), *codes})
    applied = await store.apply(session, states)
    now = {state.intervention_id: (state.village.id, state.date) for state in states}
    places = [place for number in applied for place in (before[number], now[number])]
    changed = earliest((village, f"{day:%Y-%m}") for village, day in places)
    return changed, len(states) - len(applied)


def _newest(events: Sequence[Event]) -> list[InterventionState]:
    told = [
        event.data
        for event in events
        if isinstance(event, InterventionRecorded | InterventionCorrected | InterventionWithdrawn)
    ]
    newest = {state.intervention_id: state for state in sorted(told, key=lambda state: state.version)}
    return list(newest.values())
