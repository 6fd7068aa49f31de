"""Endpoints of the reports room: the same three for each kind of report."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from contracts.facts import FamilyPlanningFacts, PopulationFacts, ProfileFacts, ReportKind
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.idempotency import Answer, OnlyOnce
from kit.paging import Page, page_of
from kit.problems import KeyReused, PreconditionRequired, Stale, VillageUnknown, problems
from services.registry.findings import store as findings
from services.registry.findings.schemas import FindingOut
from services.registry.reports import actions, store
from services.registry.reports.schemas import ReportAnswer, ReportFilters, ReportIn, ReportOut
from services.registry.villages import store as villages
from services.registry.villages.routes import VillageReader, VillageRef

router = APIRouter(prefix="/villages/{village}", tags=["reports"])

Reporter = Annotated[Caller, requires(Scope.REPORTS_WRITE)]
REPORT_PROBLEMS = problems(VillageUnknown, PreconditionRequired, Stale, KeyReused)


async def _report(
    kind: ReportKind,
    answer: type[ReportAnswer[Any]],
    village: str,
    body: ReportIn[Any],
    reporter: Caller,
    session: Session,
    if_match: str | None,
) -> Answer:
    stored, unchanged = await actions.report(session, reporter, village, kind, body, if_match)
    open_findings = await findings.open_at(session, stored.village_id, stored.period, stored.source_system)
    out = answer(
        report=answer.model_fields["report"].annotation.of(stored),  # type: ignore[union-attr]  # ReportOut of the kind
        unchanged=unchanged,
        findings=[FindingOut.of(finding) for finding in open_findings],
    )
    return Answer(out, status=200 if unchanged else 201, headers={"ETag": etag(stored.revision)})


async def _reports(
    kind: ReportKind, out: type[Any], village: str, reader: Caller, session: Session, filters: ReportFilters
) -> Page[Any]:
    owner = await villages.find(session, reader, village)
    found = [out.of(report) for report in await store.list_page(session, owner.id, kind, filters)]
    items, cursor = page_of(found, filters.limit, lambda r: r.period, lambda r: r.source_system, lambda r: r.revision)
    return Page(items=items, next_cursor=cursor)


@router.post("/profiles", status_code=201, response_model=ReportAnswer[ProfileFacts], responses=REPORT_PROBLEMS)
async def report_profile(
    village: VillageRef,
    body: ReportIn[ProfileFacts],
    reporter: Reporter,
    session: Session,
    once: OnlyOnce,
    if_match: IfMatch = None,
) -> Response:
    """Report what the village is and has for a month; a different later report needs If-Match and becomes a revision."""
    answer = ReportAnswer[ProfileFacts]
    return await once(reporter, lambda: _report(ReportKind.PROFILE, answer, village, body, reporter, session, if_match))


@router.post(
    "/population-reports", status_code=201, response_model=ReportAnswer[PopulationFacts], responses=REPORT_PROBLEMS
)
async def report_population(
    village: VillageRef,
    body: ReportIn[PopulationFacts],
    reporter: Reporter,
    session: Session,
    once: OnlyOnce,
    if_match: IfMatch = None,
) -> Response:
    """Report the village's population for a month; a different later report needs If-Match and becomes a revision."""
    answer = ReportAnswer[PopulationFacts]
    return await once(
        reporter, lambda: _report(ReportKind.POPULATION, answer, village, body, reporter, session, if_match)
    )


@router.post(
    "/family-planning-reports",
    status_code=201,
    response_model=ReportAnswer[FamilyPlanningFacts],
    responses=REPORT_PROBLEMS,
)
async def report_family_planning(
    village: VillageRef,
    body: ReportIn[FamilyPlanningFacts],
    reporter: Reporter,
    session: Session,
    once: OnlyOnce,
    if_match: IfMatch = None,
) -> Response:
    """Report participation and family planning for a month; a different later report needs If-Match."""
    answer = ReportAnswer[FamilyPlanningFacts]
    return await once(
        reporter, lambda: _report(ReportKind.FAMILY_PLANNING, answer, village, body, reporter, session, if_match)
    )


@router.get("/profiles", responses=problems(VillageUnknown))
async def list_profiles(
    village: VillageRef, reader: VillageReader, session: Session, filters: Annotated[ReportFilters, Query()]
) -> Page[ReportOut[ProfileFacts]]:
    """List the village's profile reports, newest month first."""
    return await _reports(ReportKind.PROFILE, ReportOut[ProfileFacts], village, reader, session, filters)


@router.get("/population-reports", responses=problems(VillageUnknown))
async def list_population_reports(
    village: VillageRef, reader: VillageReader, session: Session, filters: Annotated[ReportFilters, Query()]
) -> Page[ReportOut[PopulationFacts]]:
    """List the village's population reports, newest month first."""
    return await _reports(ReportKind.POPULATION, ReportOut[PopulationFacts], village, reader, session, filters)


@router.get("/family-planning-reports", responses=problems(VillageUnknown))
async def list_family_planning_reports(
    village: VillageRef, reader: VillageReader, session: Session, filters: Annotated[ReportFilters, Query()]
) -> Page[ReportOut[FamilyPlanningFacts]]:
    """List the village's family-planning reports, newest month first."""
    return await _reports(ReportKind.FAMILY_PLANNING, ReportOut[FamilyPlanningFacts], village, reader, session, filters)
