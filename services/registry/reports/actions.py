"""What can be done with reports. One path for one report of an officer and for thousands of an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event, FamilyPlanningReported, PopulationReported, ProfileReported, VillageKey
from contracts.facts import ReportKind
from kit import clock, problems
from kit.access import Caller
from kit.etags import require_match
from kit.ids import uuid7
from kit.outbox import publish
from services.registry.findings import actions as findings
from services.registry.reports import store
from services.registry.reports.drafts import Draft, Stored, facts_json
from services.registry.reports.schemas import ReportIn
from services.registry.reports.tables import Report
from services.registry.villages import store as villages
from services.registry.villages.actions import SOURCE
from services.registry.villages.tables import Village

EVENTS: dict[ReportKind, type[Event]] = {
    ReportKind.PROFILE: ProfileReported,
    ReportKind.POPULATION: PopulationReported,
    ReportKind.FAMILY_PLANNING: FamilyPlanningReported,
}
"""The event of each kind of report."""


async def report(
    session: AsyncSession,
    caller: Caller,
    reference: str,
    kind: ReportKind,
    body: ReportIn[Any],
    if_match: str | None,
) -> tuple[Report, bool]:
    """Store a village's report; the second value says whether the very same report was there already.

    Raises:
        VillageUnknown: not there or not visible.
        Invalid: the period lies in the future.
        PreconditionRequired: a report of this period and source is there and differs: send its ETag as If-Match.
        Stale: If-Match names an older revision.
    """
    _check_period(body.period)
    village = await villages.find(session, caller, reference, lock=True)
    draft = Draft(
        village_id=village.id,
        kind=kind,
        period=body.period,
        facts=body.facts,
        source_system=body.source_system,
        simulated=body.simulated,
        source_reference=body.source_reference,
    )
    existing = await store.current(session, draft.key)
    if existing is not None and not _same(existing, draft):
        require_match(if_match, existing.revision)
    stored = await store_reports(session, caller, [draft])
    session.expire_all()
    current = await store.current(session, draft.key)
    assert current is not None
    return current, bool(stored.unchanged)


def _check_period(period: str) -> None:
    if period > clock.today().strftime("%Y-%m"):
        detail = "this month has not begun yet"
        raise problems.Invalid(detail, errors=[{"pointer": "#/period", "detail": detail}])


async def store_reports(session: AsyncSession, caller: Caller, drafts: Sequence[Draft]) -> Stored:
    """Append a revision for every draft that says something new, with findings and events, in the caller's transaction.

    Drafts are validated and belong to villages that exist; at most one draft per key.
    """
    locked = await store.lock_villages(session, (draft.village_id for draft in drafts))
    known = await store.current_by_key(session, {(d.village_id, d.period, d.source_system) for d in drafts})
    stored = _sort_out(drafts, known)
    if not stored.changed:
        return stored
    now = clock.now()
    rows = [_new_row(caller, draft, known.get(draft.key), now) for draft in stored.changed]
    superseded = [known[draft.key].id for draft in stored.revised]
    await store.append(session, rows, superseded, now)
    await publish(session, _events(stored.changed, rows, locked, now))
    await store.bump_versions(session, Counter(draft.village_id for draft in stored.changed), now)
    stored.findings_opened = await findings.recheck(session, stored.changed, known, locked)
    return stored


def _sort_out(drafts: Sequence[Draft], known: dict[Any, Any]) -> Stored:
    stored = Stored()
    for draft in sorted(drafts, key=lambda d: (d.village_id, d.period, d.kind)):
        existing = known.get(draft.key)
        if existing is None:
            stored.new.append(draft)
        elif _same(existing, draft):
            stored.unchanged.append(draft)
        else:
            stored.revised.append(draft)
    return stored


def _same(existing: Any, draft: Draft) -> bool:
    return bool(existing.facts == facts_json(draft.facts) and existing.simulated == draft.simulated)


def _new_row(caller: Caller, draft: Draft, existing: Any, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "village_id": draft.village_id,
        "kind": draft.kind.value,
        "period": draft.period,
        "source_system": draft.source_system,
        "source_reference": draft.source_reference,
        "revision": 1 if existing is None else existing.revision + 1,
        "facts": facts_json(draft.facts),
        "simulated": draft.simulated,
        "reported_by": caller.id,
        "reported_at": now,
        "superseded_at": None,
    }


def _events(
    drafts: Sequence[Draft], rows: Sequence[dict[str, Any]], locked: dict[UUID, Village], now: datetime
) -> list[Event]:
    steps: Counter[UUID] = Counter()
    events = []
    for draft, row in zip(drafts, rows, strict=True):
        village = locked[draft.village_id]
        steps[village.id] += 1
        key = VillageKey(id=village.id, region_code=village.region_code, version=village.version + steps[village.id])
        data = {
            "village": key,
            "report_id": row["id"],
            "period": draft.period,
            "revision": row["revision"],
            "source_system": draft.source_system,
            "simulated": draft.simulated,
            "reported_at": now,
            "facts": draft.facts,
        }
        events.append(
            EVENTS[draft.kind].model_validate(
                {"id": uuid7(), "source": SOURCE, "subject": village.region_code, "time": now, "data": data}
            )
        )
    return events
