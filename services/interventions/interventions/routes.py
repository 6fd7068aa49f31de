"""Endpoints of the interventions room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.idempotency import Answer, OnlyOnce
from kit.paging import ListFilters, Page, page_of
from kit.problems import (
    Conflict,
    KeyReused,
    NotFound,
    PreconditionRequired,
    RegionForbidden,
    Stale,
    VillageUnknown,
    problems,
)
from services.interventions.interventions import actions, store
from services.interventions.interventions.schemas import (
    InterventionChange,
    InterventionFilters,
    InterventionIn,
    InterventionOut,
    RevisionOut,
    Withdrawal,
)
from services.interventions.interventions.store import Placed

router = APIRouter(prefix="/interventions", tags=["interventions"])

InterventionReader = Annotated[Caller, requires(Scope.INTERVENTIONS_READ)]
InterventionRecorder = Annotated[Caller, requires(Scope.INTERVENTIONS_WRITE)]
InterventionId = Annotated[UUID, Path(description="Id of the intervention")]
CHANGE_PROBLEMS = problems(NotFound, Conflict, Stale, PreconditionRequired)


def _answer(placed: Placed, status: int = 200) -> Answer:
    intervention, village = placed
    headers = {"ETag": etag(intervention.version), "Location": f"/api/v1/interventions/{intervention.id}"}
    return Answer(InterventionOut.of(intervention, village), status, headers)


@router.post(
    "",
    status_code=201,
    response_model=InterventionOut,
    responses=problems(RegionForbidden, VillageUnknown, Conflict, KeyReused),
)
async def record_intervention(
    draft: InterventionIn, recorder: InterventionRecorder, session: Session, once: OnlyOnce
) -> Response:
    """Record what was done at a Kampung KB, by whom and for whom."""

    async def record() -> Answer:
        return _answer(await actions.record_intervention(session, recorder, draft), 201)

    return await once(recorder, record)


@router.get("", responses=problems(RegionForbidden, VillageUnknown))
async def list_interventions(
    reader: InterventionReader, session: Session, filters: Annotated[InterventionFilters, Query()]
) -> Page[InterventionOut]:
    """List interventions of your region, newest day first."""
    found = [InterventionOut.of(*placed) for placed in await store.list_page(session, reader, filters)]
    items, cursor = page_of(found, filters.limit, lambda i: i.date, lambda i: i.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{intervention}", responses=problems(NotFound))
async def get_intervention(
    intervention: InterventionId, reader: InterventionReader, session: Session, response: Response
) -> InterventionOut:
    """One intervention, withdrawn ones too; its ETag is what If-Match wants when you change it."""
    found, village = await store.find(session, reader, intervention)
    response.headers["ETag"] = etag(found.version)
    return InterventionOut.of(found, village)


@router.patch("/{intervention}", responses=CHANGE_PROBLEMS)
async def correct_intervention(
    intervention: InterventionId,
    change: InterventionChange,
    recorder: InterventionRecorder,
    session: Session,
    response: Response,
    if_match: IfMatch = None,
) -> InterventionOut:
    """Correct an intervention; a partner corrects only its own. What it said before stays in its revisions."""
    corrected, village = await actions.correct_intervention(session, recorder, intervention, if_match, change)
    response.headers["ETag"] = etag(corrected.version)
    return InterventionOut.of(corrected, village)


@router.post(
    "/{intervention}/withdrawal", response_model=InterventionOut, responses=CHANGE_PROBLEMS | problems(KeyReused)
)
async def withdraw_intervention(
    intervention: InterventionId,
    withdrawal: Withdrawal,
    recorder: InterventionRecorder,
    session: Session,
    once: OnlyOnce,
    if_match: IfMatch = None,
) -> Response:
    """Withdraw an intervention that did not take place or was recorded twice; nothing is deleted."""

    async def withdraw() -> Answer:
        return _answer(await actions.withdraw_intervention(session, recorder, intervention, if_match, withdrawal))

    return await once(recorder, withdraw)


@router.get("/{intervention}/revisions", responses=problems(NotFound))
async def list_intervention_revisions(
    intervention: InterventionId,
    recorder: InterventionRecorder,
    session: Session,
    filters: Annotated[ListFilters, Query()],
) -> Page[RevisionOut]:
    """List the revisions of an intervention, oldest first; for those who may write interventions."""
    found, _ = await store.find(session, recorder, intervention)
    revisions = [RevisionOut.of(revision) for revision in await store.list_revisions(session, found.id, filters)]
    items, cursor = page_of(revisions, filters.limit, lambda revision: revision.version)
    return Page(items=items, next_cursor=cursor)
