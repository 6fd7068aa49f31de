"""Endpoints of the determinations room."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse

from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import Page, page_of
from kit.problems import (
    AlreadyDetermined,
    AlreadyReplaced,
    Conflict,
    DeterminationUnknown,
    KeyReused,
    PeriodOpen,
    RegionForbidden,
    RulesetNotUsable,
    RulesetUnknown,
    problems,
)
from services.scoring.determinations import actions, presenting, store
from services.scoring.determinations.printout import printout
from services.scoring.determinations.rules import content
from services.scoring.determinations.schemas import (
    DeterminationContent,
    DeterminationFilters,
    DeterminationIn,
    DeterminationOut,
    DeterminedVillageFilters,
    DeterminedVillageOut,
    PreviewIn,
    PreviewOut,
)
from services.scoring.determinations.workbook import DeterminationWorkbook

router = APIRouter(prefix="/determinations", tags=["determinations"])

Assessor = Annotated[Caller, requires(Scope.DETERMINATIONS_ISSUE)]
DeterminationReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]
DeterminationId = Annotated[UUID, Path(description="Id of the determination")]

_BINARY = {"type": "string", "format": "binary"}
_DOCUMENT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""The document has its own style and nothing else; nothing in it may run."""


@router.post(
    "/previews", responses=problems(RegionForbidden, RulesetUnknown, RulesetNotUsable, Conflict), openapi_extra=HEAVY
)
async def preview_determination(asked: PreviewIn, assessor: Assessor, session: Session) -> PreviewOut:
    """What a determination would be if it were issued now, and what is incomplete; nothing is stored."""
    await read_one_moment(session)
    frozen, stands = await actions.preview(session, assessor, asked)
    return presenting.preview(asked, frozen, stands)


@router.post(
    "",
    status_code=201,
    response_model=DeterminationOut,
    responses=problems(
        RegionForbidden,
        RulesetUnknown,
        DeterminationUnknown,
        AlreadyDetermined,
        AlreadyReplaced,
        Conflict,
        PeriodOpen,
        RulesetNotUsable,
        KeyReused,
    ),
    openapi_extra=HEAVY,
)
async def issue_determination(draft: DeterminationIn, assessor: Assessor, session: Session, once: OnlyOnce) -> Response:
    """Freeze the classes of a region for a period that is over, by a decree. It never changes; a new one may replace it."""
    # One moment although it writes: nobody else writes what this could contradict, because they wait for the lock.
    await read_one_moment(session)
    await store.issue_one_at_a_time(session)

    async def issue() -> Answer:
        issued = await actions.issue(session, assessor, draft)
        headers = {"ETag": f'"{issued.digest}"', "Location": f"/api/v1/determinations/{issued.id}"}
        return Answer(presenting.determination(issued, None), 201, headers)

    return await once(assessor, issue)


@router.get("", responses=problems(RegionForbidden))
async def list_determinations(
    reader: DeterminationReader, session: Session, filters: Annotated[DeterminationFilters, Query()]
) -> Page[DeterminationOut]:
    """List the determinations of regions that lie in yours, newest first."""
    out = [presenting.determination(*found) for found in await store.list_page(session, reader, filters)]
    items, cursor = page_of(out, filters.limit, lambda one: one.header.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{determination}", responses=problems(DeterminationUnknown))
async def get_determination(
    determination: DeterminationId, reader: DeterminationReader, session: Session
) -> DeterminationOut:
    """One determination without its list."""
    return presenting.determination(*await store.find(session, reader, determination))


@router.get("/{determination}/villages", responses=problems(DeterminationUnknown, RegionForbidden))
async def list_determined_villages(
    determination: DeterminationId,
    reader: DeterminationReader,
    session: Session,
    filters: Annotated[DeterminedVillageFilters, Query()],
) -> Page[DeterminedVillageOut]:
    """List the villages of a determination as they were determined, by region code."""
    found, _ = await store.find(session, reader, determination)
    entries = await store.villages_page(session, found.id, filters, reader.narrow(filters.region))
    page, cursor = page_of(entries, filters.limit, lambda entry: entry["number"])
    return Page(items=[DeterminedVillageOut.model_validate(entry) for entry in page], next_cursor=cursor)


@router.get(
    "/{determination}/content",
    response_model=DeterminationContent,
    responses=problems(DeterminationUnknown),
    openapi_extra=HEAVY,
)
async def get_determination_content(
    determination: DeterminationId, reader: DeterminationReader, session: Session
) -> Response:
    """Header and list as canonical JSON: exactly the bytes whose SHA-256 is the determination's digest."""
    found, _ = await store.find(session, reader, determination)
    entries = await store.villages(session, found.id)
    body = await asyncio.to_thread(lambda: b"".join(content(presenting.header_json(found), entries)))
    return Response(body, media_type="application/json", headers={"ETag": f'"{found.digest}"'})


@router.get(
    "/{determination}/document",
    response_class=HTMLResponse,
    responses=problems(DeterminationUnknown),
    openapi_extra=HEAVY,
)
async def get_determination_document(
    determination: DeterminationId, reader: DeterminationReader, session: Session
) -> Response:
    """The determination as a document to print (A4, Indonesian): one page of HTML that needs nothing but itself."""
    found, replaced_by = await store.find(session, reader, determination)
    entries = await store.villages(session, found.id)
    page = await asyncio.to_thread(printout, presenting.determination(found, replaced_by), entries)
    return HTMLResponse(page, headers=_DOCUMENT_HEADERS)


@router.get(
    "/{determination}/list.xlsx",
    response_class=Response,
    responses=problems(DeterminationUnknown)
    | {200: {"description": "The workbook", "content": {DeterminationWorkbook.media_type: {"schema": _BINARY}}}},
    openapi_extra=HEAVY,
)
async def export_determination(
    determination: DeterminationId, reader: DeterminationReader, session: Session
) -> Response:
    """The determination as a workbook: a page that says what it is, and the list with classes, indexes and scores."""
    found, replaced_by = await store.find(session, reader, determination)
    entries = await store.villages(session, found.id)
    return await asyncio.to_thread(DeterminationWorkbook, presenting.determination(found, replaced_by), entries)
