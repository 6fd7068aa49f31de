"""The registry's present state as events: every Kampung KB, and of each report the revision in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.events import Event, VillageChanged
from contracts.facts import ReportKind
from kit.ids import uuid7
from kit.scoping import subtree
from services.registry.regions import store as regions
from services.registry.reports.actions import EVENTS
from services.registry.reports.tables import Report
from services.registry.villages.actions import SOURCE, Registered, key_of, state_of
from services.registry.villages.tables import Village


async def re_emit(
    session: AsyncSession, region: str | None, after: str | None, limit: int
) -> tuple[Sequence[Event], str | None]:
    """Events of the next villages after an id, by id: the village itself, then its reports in force."""
    villages = await _next_villages(session, region, after, limit)
    if not villages:
        return [], None
    names = await regions.names_of(session, (village.region_code for village in villages))
    reports = await _reports_in_force(session, villages)
    events: list[Event] = []
    for village in villages:
        events.append(_changed(Registered(village, names[village.region_code])))
        events += [_reported(village, report) for report in reports[village.id]]
    return events, str(villages[-1].id) if len(villages) == limit else None


async def _next_villages(session: AsyncSession, region: str | None, after: str | None, limit: int) -> Sequence[Village]:
    query = select(Village).where(subtree(col(Village.region_code), region)).order_by(col(Village.id)).limit(limit)
    if after is not None:
        query = query.where(col(Village.id) > UUID(after))
    return (await session.scalars(query.with_for_update(key_share=True))).all()


async def _reports_in_force(session: AsyncSession, villages: Sequence[Village]) -> dict[UUID, list[Report]]:
    query = (
        select(Report)
        .where(col(Report.village_id).in_([village.id for village in villages]), col(Report.superseded_at).is_(None))
        .order_by(col(Report.period), col(Report.kind), col(Report.source_system))
    )
    found: dict[UUID, list[Report]] = defaultdict(list)
    for report in (await session.scalars(query)).all():
        found[report.village_id].append(report)
    return found


def _changed(village: Registered) -> Event:
    own = village.village
    return VillageChanged(
        id=uuid7(), source=SOURCE, subject=own.region_code, time=own.changed_at, data=state_of(village)
    )


def _reported(village: Village, report: Report) -> Event:
    """The village's version is that of today; what orders reports is their revision."""
    data = {
        "village": key_of(village),
        "report_id": report.id,
        "period": report.period,
        "revision": report.revision,
        "source_system": report.source_system,
        "simulated": report.simulated,
        "reported_at": report.reported_at,
        "facts": report.facts,
    }
    envelope = {"id": uuid7(), "source": SOURCE, "subject": village.region_code, "time": report.reported_at}
    return EVENTS[ReportKind(report.kind)].model_validate({**envelope, "data": data})
