"""What happens when the registry tells of villages and reports."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import (
    Event,
    FamilyPlanningReported,
    PopulationReported,
    ProfileReported,
    VillageChanged,
    VillageRegistered,
    VillageState,
)
from contracts.facts import ReportKind
from services.scoring.assessments.actions import assess
from services.scoring.facts import store
from services.scoring.facts.store import Reported
from services.scoring.histories.rules import EVERY_PERIOD, earliest
from services.scoring.villages import store as villages

_KINDS = {
    ProfileReported: ReportKind.PROFILE,
    PopulationReported: ReportKind.POPULATION,
    FamilyPlanningReported: ReportKind.FAMILY_PLANNING,
}


async def take_registry_events(session: AsyncSession, events: Sequence[Event]) -> int:
    """Fold registry events into villages and facts, then assess the villages of which they change something."""
    changed, stale = await fold_registry_events(session, events)
    await assess(session, changed)
    return stale


async def fold_registry_events(session: AsyncSession, events: Sequence[Event]) -> tuple[dict[UUID, str], int]:
    """Fold registry events into villages and facts; villages with the month they change from, and how many were stale.

    The changed villages' rows are held. Any order and any repetition gives the same: of each village and each report
    only the newest version stays.
    """
    states = _newest_states(events)
    reported = _newest_reports(events)
    touched = {state.village.id: state.village.region_code for state in states}
    touched |= {report.state.village.id: report.state.village.region_code for report in reported}
    if not touched:
        return {}, 0
    await villages.introduce(session, touched)
    await villages.lock(session, touched)
    different = await villages.different(session, states)
    known = await villages.apply(session, states)
    applied = await store.apply(session, reported)
    changed = earliest([*((village, EVERY_PERIOD) for village in known & different), *applied])
    return changed, len(states) + len(reported) - len(known) - len(applied)


def _newest_states(events: Sequence[Event]) -> list[VillageState]:
    told = [event.data for event in events if isinstance(event, VillageRegistered | VillageChanged)]
    newest = {state.village.id: state for state in sorted(told, key=lambda state: state.village.version)}
    return list(newest.values())


def _newest_reports(events: Sequence[Event]) -> list[Reported]:
    told = [
        Reported(_KINDS[type(event)].value, event.data)
        for event in events
        if isinstance(event, ProfileReported | PopulationReported | FamilyPlanningReported)
    ]
    newest = {report.key: report for report in sorted(told, key=lambda report: report.state.revision)}
    return list(newest.values())
