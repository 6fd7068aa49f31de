"""Endpoints of the rulesets room."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import SkipValidation

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.paging import ListFilters, Page, decode_cursor, page_of
from kit.problems import RulesetUnknown, problems
from services.scoring.rulesets import actions
from services.scoring.rulesets.library import in_force, published, published_rulesets
from services.scoring.rulesets.schemas import (
    MOST_VILLAGES,
    EvaluationOut,
    RulesetDetail,
    RulesetOut,
    VillageFactsIn,
)

router = APIRouter(prefix="/rulesets", tags=["rulesets"])

RulesetReader = Annotated[Caller, requires(Scope.RULESETS_READ)]
RulesetEvaluator = Annotated[Caller, requires(Scope.RULESETS_EVALUATE)]
RulesetId = Annotated[str, Path(description="Id of a published ruleset", examples=["web-2021"])]
# Validated by the action, in a thread: thousands of villages would hold up every other request.
Villages = Annotated[
    list[Annotated[VillageFactsIn, SkipValidation]],
    Body(max_length=MOST_VILLAGES, description="Villages as of the parity cases, without id and expected"),
]


@router.get("")
async def list_rulesets(
    _reader: RulesetReader, session: Session, filters: Annotated[ListFilters, Query()]
) -> Page[RulesetOut]:
    """List the published rulesets by id."""
    after = decode_cursor(filters.cursor, str)
    current = (await in_force(session)).ruleset.id
    engines = sorted(published_rulesets().items())
    out = [RulesetOut.of(engine, current) for ruleset, engine in engines if after is None or ruleset > after[0]]
    items, cursor = page_of(out[: filters.limit + 1], filters.limit, lambda ruleset: ruleset.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{ruleset}", responses=problems(RulesetUnknown), response_model_exclude_unset=True)
async def get_ruleset(ruleset: RulesetId, _reader: RulesetReader, session: Session) -> RulesetDetail:
    """One ruleset with its whole document, exactly as its digest covers it."""
    engine = await published(session, ruleset)
    brief = RulesetOut.of(engine, (await in_force(session)).ruleset.id)
    return RulesetDetail(**dict(brief), document=engine.ruleset)


@router.post("/{ruleset}/evaluations", responses=problems(RulesetUnknown), response_model=list[EvaluationOut])
async def evaluate_villages(
    ruleset: RulesetId, villages: Villages, _evaluator: RulesetEvaluator, session: Session
) -> Response:
    """Score villages that you send under a ruleset; nothing is stored."""
    engine = await published(session, ruleset)
    answer = await asyncio.to_thread(actions.evaluate, engine, villages)
    return Response(answer, media_type="application/json")
