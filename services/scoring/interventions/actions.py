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
from services.scoring.interventions import store
from services.scoring.villages import store as villages


async def take_intervention_events(session: AsyncSession, events: Sequence[Event]) -> int:
    """Fold intervention events, then assess the villages of which they change something."""
    changed, stale = await fold_intervention_events(session, events)
    await assess(session, changed)
    return stale


async def fold_intervention_events(session: AsyncSession, events: Sequence[Event]) -> tuple[set[UUID], int]:
    """Fold intervention events; which villages they change, and how many events were stale.

    The changed villages' rows are held. Any order and any repetition gives the same: of each intervention only the newest
    version stays. Where a correction moves one to another village, both change.
    """
    states = _newest(events)
    if not states:
        return set(), 0
    codes = {state.village.id: state.village.region_code for state in states}
    await villages.introduce(session, codes)
    before = await store.claim(session, states)
    await villages.lock(session, {*before.values(), *codes})
    applied = await store.apply(session, states)
    now = {state.intervention_id: state.village.id for state in states}
    changed = {village for number in applied for village in (before[number], now[number])}
    return changed, len(states) - len(applied)


def _newest(events: Sequence[Event]) -> list[InterventionState]:
    told = [
        event.data
        for event in events
        if isinstance(event, InterventionRecorded | InterventionCorrected | InterventionWithdrawn)
    ]
    newest = {state.intervention_id: state for state in sorted(told, key=lambda state: state.version)}
    return list(newest.values())
