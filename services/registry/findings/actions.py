"""What can be done with findings: open what does not add up, close what a later report has put right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.facts import FACTS_OF, AnyFacts, ReportKind
from kit import clock
from kit.database import insert_missing
from kit.ids import uuid7
from services.registry.findings import rules, store
from services.registry.reports.drafts import Draft
from services.registry.villages.tables import Village

Place = tuple[UUID, str, str]
"""Village, period, source system: reports that are checked together."""


async def recheck(
    session: AsyncSession, changed: Sequence[Draft], before: Mapping[Any, Any], villages: Mapping[UUID, Village]
) -> int:
    """Check every village, month and source that a batch of reports has touched; how many findings were opened.

    `before` holds the revisions that were current, for kinds of report that the batch does not touch.
    """
    facts = _facts_by_place(changed, before)
    now = clock.now()
    wanted = {(place, found.code, found.subject): found for place, kinds in facts.items() for found in _check(kinds)}
    open_now = {
        ((row.village_id, row.period, row.source_system), row.code, row.subject): row
        for row in await store.open_by_place(session, set(facts))
    }
    outdated = [row.id for key, row in open_now.items() if key not in wanted or wanted[key].message != row.message]
    await store.resolve(session, outdated, now)
    fresh = {key for key, found in wanted.items() if key not in open_now or open_now[key].message != found.message}
    rows = [_row(villages[key[0][0]], key[0][1], key[0][2], wanted[key]) for key in wanted if key in fresh]
    return len(await insert_missing(session, "findings", rows))


async def open_for_village(
    session: AsyncSession, found: Sequence[tuple[Village, rules.Found]], source_system: str
) -> int:
    """Open findings that are not about one month, such as a desa for which two Kampung KB were announced."""
    rows = [_row(village, None, source_system, what) for village, what in found]
    return len(await insert_missing(session, "findings", rows))


def _facts_by_place(changed: Sequence[Draft], before: Mapping[Any, Any]) -> dict[Place, dict[ReportKind, AnyFacts]]:
    facts: dict[Place, dict[ReportKind, AnyFacts]] = {}
    for draft in changed:
        facts.setdefault((draft.village_id, draft.period, draft.source_system), {})[draft.kind] = draft.facts
    for (village, kind, period, source), row in before.items():
        kinds = facts.get((village, period, source))
        if kinds is not None and kind not in kinds:
            kinds[kind] = FACTS_OF[kind].model_validate(row.facts)
    return facts


def _check(kinds: Mapping[ReportKind, Any]) -> list[rules.Found]:
    return rules.check(
        kinds.get(ReportKind.PROFILE), kinds.get(ReportKind.POPULATION), kinds.get(ReportKind.FAMILY_PLANNING)
    )


def _row(village: Village, period: str | None, source_system: str, found: rules.Found) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "village_id": village.id,
        "region_code": village.region_code,
        "period": period,
        "source_system": source_system,
        "code": found.code,
        "subject": found.subject,
        "severity": found.severity,
        "message": found.message,
        "numbers": found.numbers,
        "found_at": clock.now(),
        "resolved_at": None,
    }
