"""Endpoints of the room of suppositions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.language import AnswerLanguage
from kit.problems import RulesetUnknown, VillageUnknown, problems
from services.scoring.assessments import store
from services.scoring.assessments.actions import inputs_of
from services.scoring.assessments.routes import VillageRef
from services.scoring.rulesets.library import in_force, published
from services.scoring.what_ifs import presenting
from services.scoring.what_ifs.schemas import WhatIfIn, WhatIfOut

router = APIRouter(prefix="/assessments", tags=["assessments"])

AssessmentReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]


@router.post("/{village}/what-if", responses=problems(VillageUnknown, RulesetUnknown))
async def ask_what_if(
    village: VillageRef, asked: WhatIfIn, reader: AssessmentReader, session: Session, language: AnswerLanguage
) -> WhatIfOut:
    """What the village would be classed as if some facts were different, and which indicators do it; nothing is stored."""
    await read_one_moment(session)
    engine = await (in_force(session) if asked.ruleset is None else published(session, asked.ruleset))
    assessed = await store.find(session, reader, village)
    (inputs,) = await inputs_of(session, [assessed.village])
    return presenting.what_if(assessed.village, inputs, asked, engine, language)
