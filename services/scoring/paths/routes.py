"""Endpoint of the room of paths."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.problems import Invalid, RulesetUnknown, VillageUnknown, problems
from services.scoring.assessments import store
from services.scoring.assessments.actions import inputs_of
from services.scoring.assessments.routes import VillageRef
from services.scoring.paths import presenting
from services.scoring.paths.schemas import PathFilters, PathOut
from services.scoring.rulesets.library import in_force, published

router = APIRouter(prefix="/assessments", tags=["assessments"])

AssessmentReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]


@router.get("/{village}/path", responses=problems(VillageUnknown, RulesetUnknown, Invalid))
async def get_path(
    village: VillageRef, reader: AssessmentReader, session: Session, filters: Annotated[PathFilters, Query()]
) -> PathOut:
    """The smallest set of indicator improvements that gives a village a higher class, as actions; or why none does."""
    await read_one_moment(session)
    engine = await (in_force(session) if filters.ruleset is None else published(session, filters.ruleset))
    assessed = await store.find(session, reader, village)
    (inputs,) = await inputs_of(session, [assessed.village])
    return await asyncio.to_thread(presenting.path_to, assessed.village, inputs, engine, filters.to)
