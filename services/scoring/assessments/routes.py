"""Endpoints of the assessments room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.paging import Page
from kit.problems import RegionForbidden, VillageUnknown, problems
from services.scoring.assessments import lists, presenting, store
from services.scoring.assessments.actions import inputs_of
from services.scoring.assessments.schemas import AssessmentDetail, AssessmentListFilters, AssessmentOut
from services.scoring.rulesets.library import in_force

router = APIRouter(prefix="/assessments", tags=["assessments"])

AssessmentReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]
VillageRef = Annotated[
    str, Path(description="Id of the Kampung KB, or the region code of its desa", examples=["33.26.01.2001"])
]


@router.get("", responses=problems(RegionForbidden))
async def list_assessments(
    reader: AssessmentReader, session: Session, filters: Annotated[AssessmentListFilters, Query()]
) -> Page[AssessmentOut]:
    """List the classes of the active Kampung KB of your region, by region code or in another order."""
    found, cursor = await lists.page(session, reader, filters, await in_force(session), clock.today())
    return Page(items=[presenting.summary(assessed) for assessed in found], next_cursor=cursor)


@router.get("/{village}", responses=problems(VillageUnknown))
async def get_assessment(village: VillageRef, reader: AssessmentReader, session: Session) -> AssessmentDetail:
    """One village's class and why: every score with its inputs, their reports, and what was not reported."""
    await read_one_moment(session)
    assessed = await store.find(session, reader, village)
    (inputs,) = await inputs_of(session, [assessed.village])
    return presenting.detail(assessed, inputs, await in_force(session), clock.today())
