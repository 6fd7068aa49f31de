"""Endpoints of the audit room."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import Response

from gateway.audit import store
from gateway.audit.schemas import AuditEntryOut, AuditExport, AuditFilters, AuditHeadOut
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.paging import Page, page_of

router = APIRouter(prefix="/audit", tags=["audit"])

AuditReader = Annotated[Caller, requires(Scope.AUDIT_READ)]
WholeAuditReader = Annotated[Caller, requires(Scope.AUDIT_READ, whole_country=True)]

JSON_LINES = "application/jsonl"


@router.get("")
async def list_audit_entries(
    reader: AuditReader, session: Session, filters: Annotated[AuditFilters, Query()]
) -> Page[AuditEntryOut]:
    """Who did what, newest first: what callers of your region did, and what was done to your region."""
    found = await store.list_page(session, reader, filters)
    items, cursor = page_of([AuditEntryOut.of(row) for row in found], filters.limit, lambda item: item.number)
    return Page(items=items, next_cursor=cursor)


@router.get("/head")
async def get_audit_head(_reader: AuditReader, session: Session) -> AuditHeadOut:
    """The end of the chain. Note it outside of the platform: `kkb audit verify --head` compares with it later."""
    return AuditHeadOut.of(await store.head(session))


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {
            "description": "Entries in the order of the chain, one line of JSON each; no line when there are no more",
            "content": {JSON_LINES: {"schema": {"type": "string"}}},
        },
    },
)
async def export_audit_entries(
    _reader: WholeAuditReader, session: Session, wanted: Annotated[AuditExport, Query()]
) -> Response:
    """Export the whole trail, so many entries at a time, to keep it elsewhere or to verify it; whole country only."""
    rows = await store.after(session, wanted.after, wanted.limit)
    lines = b"".join(orjson.dumps(AuditEntryOut.of(row).model_dump(mode="json")) + b"\n" for row in rows)
    return Response(lines, media_type=JSON_LINES)
