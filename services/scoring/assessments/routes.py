"""Endpoints of the assessments room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.language import AnswerLanguage
from kit.paging import Page
from kit.problems import RegionForbidden, RulesetUnknown, VillageUnknown, problems
from services.scoring.assessments import lists, presenting, store
from services.scoring.assessments.actions import inputs_of
from services.scoring.assessments.rules import last_day_of
from services.scoring.assessments.schemas import (
    AssessmentChoice,
    AssessmentDetail,
    AssessmentListFilters,
    AssessmentOut,
)
from services.scoring.rulesets.library import in_force, published

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


@router.get("/{village}", responses=problems(VillageUnknown, RulesetUnknown))
async def get_assessment(
    village: VillageRef,
    reader: AssessmentReader,
    session: Session,
    choice: Annotated[AssessmentChoice, Query()],
    language: AnswerLanguage,
) -> AssessmentDetail:
    """One village's class and why: every score with its inputs, their reports, and what was not reported.

    Sentences are in Indonesian or English by Accept-Language. Under another ruleset than its own the answer is
    computed from the same facts, and nothing of it is stored.
    """
    await read_one_moment(session)
    assessed = await store.find(session, reader, village)
    # its own ruleset: while another one has just come into force, the class is still what this one gave
    engine = await published(session, choice.ruleset or assessed.assessment.ruleset)
    (inputs,) = await inputs_of(session, [assessed.village])
    stored = engine.digest == assessed.assessment.ruleset_digest
    if stored:
        inputs = inputs._replace(as_of=last_day_of(inputs.as_of, assessed.assessment.due_on))
    return presenting.detail(assessed, inputs, engine, language, stored=stored)
