"""Endpoints of the recomputations room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import Page, page_of
from kit.problems import Conflict, KeyReused, NotFound, RegionForbidden, problems
from services.scoring.recomputations import actions, store
from services.scoring.recomputations.schemas import RecomputationFilters, RecomputationIn, RecomputationOut

router = APIRouter(prefix="/recomputations", tags=["recomputations"])

Recomputer = Annotated[Caller, requires(Scope.ASSESSMENTS_RECOMPUTE)]
RecomputationId = Annotated[UUID, Path(description="Id of the recomputation")]


@router.post(
    "",
    status_code=202,
    response_model=RecomputationOut,
    responses=problems(RegionForbidden, KeyReused),
    openapi_extra=HEAVY,
)
async def start_recomputation(
    asked: RecomputationIn, recomputer: Recomputer, session: Session, once: OnlyOnce
) -> Response:
    """Assess all villages of a region anew from the facts, in the background. What is right already stays untouched."""

    async def start() -> Answer:
        job = await actions.start(session, recomputer, asked)
        return Answer(RecomputationOut.of(job), 202, {"Location": f"/api/v1/recomputations/{job.id}"})

    return await once(recomputer, start)


@router.get("")
async def list_recomputations(
    recomputer: Recomputer, session: Session, filters: Annotated[RecomputationFilters, Query()]
) -> Page[RecomputationOut]:
    """List the recomputations of your region, newest first."""
    found = [RecomputationOut.of(job) for job in await store.list_page(session, recomputer, filters)]
    items, cursor = page_of(found, filters.limit, lambda job: job.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{recomputation}", responses=problems(NotFound))
async def get_recomputation(
    recomputation: RecomputationId, recomputer: Recomputer, session: Session
) -> RecomputationOut:
    """One recomputation: how far it is, and what it found."""
    return RecomputationOut.of(await store.find(session, recomputer, recomputation))


@router.post(
    "/{recomputation}/cancel", response_model=RecomputationOut, responses=problems(NotFound, Conflict, KeyReused)
)
async def cancel_recomputation(
    recomputation: RecomputationId, recomputer: Recomputer, session: Session, once: OnlyOnce
) -> Response:
    """End a recomputation; what was assessed until then stays, and it can be resumed."""

    async def cancel() -> Answer:
        return Answer(RecomputationOut.of(await actions.cancel(session, recomputer, recomputation)), 200)

    return await once(recomputer, cancel)


@router.post(
    "/{recomputation}/resume",
    status_code=202,
    response_model=RecomputationOut,
    responses=problems(NotFound, Conflict, KeyReused),
    openapi_extra=HEAVY,
)
async def resume_recomputation(
    recomputation: RecomputationId, recomputer: Recomputer, session: Session, once: OnlyOnce
) -> Response:
    """Let a cancelled or failed recomputation go on where it ended."""

    async def resume() -> Answer:
        return Answer(RecomputationOut.of(await actions.resume(session, recomputer, recomputation)), 202)

    return await once(recomputer, resume)
