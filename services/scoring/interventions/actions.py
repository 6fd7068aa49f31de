"""What happens when the interventions service tells of interventions."""

from __future__ import annotations

from collections.abc import Sequence

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
    """Fold intervention events, then assess the villages they touch, as one batch.

    Any order and any repetition gives the same: of each intervention only the newest version stays. Where a correction
    moves one to another village, both are assessed.
    """
    states = _newest(events)
    if not states:
        return 0
    codes = {state.village.id: state.village.region_code for state in states}
    await villages.introduce(session, codes)
    touched = await store.claim(session, states) | codes.keys()
    await villages.lock(session, touched)
    applied = await store.apply(session, states)
    await assess(session, touched)
    return len(states) - applied


def _newest(events: Sequence[Event]) -> list[InterventionState]:
    told = [
        event.data
        for event in events
        if isinstance(event, InterventionRecorded | InterventionCorrected | InterventionWithdrawn)
    ]
    newest = {state.intervention_id: state for state in sorted(told, key=lambda state: state.version)}
    return list(newest.values())
