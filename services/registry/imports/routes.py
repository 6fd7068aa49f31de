"""Endpoints of the imports room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import Page, page_of
from kit.problems import (
    Conflict,
    ImportUnknown,
    KeyReused,
    RegionForbidden,
    RegionUnknown,
    TooLarge,
    problems,
)
from services.registry.imports import actions, store
from services.registry.imports.schemas import (
    ImportBrief,
    ImportFilters,
    ImportIn,
    ImportOut,
    RowFilters,
    RowOut,
    TableOut,
)

router = APIRouter(prefix="/imports", tags=["imports"])

ImportReader = Annotated[Caller, requires(Scope.IMPORTS_READ)]
ImportWriter = Annotated[Caller, requires(Scope.IMPORTS_WRITE)]
TableName = Annotated[
    str,
    Path(
        pattern=r"^[^/\\\x00-\x1f\x7f]{1,100}$",
        description="Any name of yours, such as the file's",
        examples=["data_pus.csv.gz"],
    ),
]
_TABLE_BODY = {
    "requestBody": {
        "required": True,
        "description": f"The table as it is: CSV, plain or gzip, at most {actions.MOST_UPLOADED} bytes",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/gzip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

ImportId = Annotated[UUID, Path(description="Id of the import")]


@router.post(
    "",
    status_code=201,
    response_model=ImportOut,
    responses=problems(RegionForbidden, RegionUnknown, KeyReused),
)
async def open_import(draft: ImportIn, writer: ImportWriter, session: Session, once: OnlyOnce) -> Response:
    """Open an import: upload its tables next, then start it. Tables processed together complete each other's names."""

    async def open_one() -> Answer:
        opened = await actions.open_import(session, writer, draft)
        return Answer(ImportOut.with_tables(opened, []), headers={"Location": f"/api/v1/imports/{opened.id}"})

    return await once(writer, open_one)


@router.put(
    "/{import_id}/tables/{name}",
    response_model=TableOut,
    responses={**problems(ImportUnknown, Conflict, TooLarge), 201: {"model": TableOut, "description": "A new table"}},
    openapi_extra=_TABLE_BODY | HEAVY,
)
async def upload_import_table(
    import_id: ImportId, name: TableName, request: Request, writer: ImportWriter, session: Session, response: Response
) -> TableOut:
    """Upload a table of an open import and learn what it was recognised as; the same name again replaces it."""
    table, is_new = await actions.upload_table(session, writer, import_id, name, await _body(request))
    response.status_code = 201 if is_new else 200
    return TableOut.of(table)


async def _body(request: Request) -> bytes:
    """The whole body, at most MOST_UPLOADED bytes.

    Raises:
        TooLarge: there is more.
    """
    parts: list[bytes] = []
    room = actions.MOST_UPLOADED
    async for part in request.stream():
        room -= len(part)
        if room < 0:
            raise TooLarge(f"a table is uploaded in at most {actions.MOST_UPLOADED} bytes; gzip it")
        parts.append(part)
    return b"".join(parts)


@router.post("/{import_id}/start", status_code=202, responses=problems(ImportUnknown, Conflict), openapi_extra=HEAVY)
async def start_import(import_id: ImportId, writer: ImportWriter, session: Session) -> ImportBrief:
    """Start an import: it runs in the background. Starting it again changes nothing; a failed one goes on."""
    return ImportBrief.of(await actions.start_import(session, writer, import_id))


@router.get("", responses=problems(RegionForbidden))
async def list_imports(
    reader: ImportReader, session: Session, filters: Annotated[ImportFilters, Query()]
) -> Page[ImportBrief]:
    """List imports of your region, newest first."""
    found = [ImportBrief.of(row) for row in await store.list_page(session, reader, filters)]
    items, cursor = page_of(found, filters.limit, lambda i: i.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{import_id}", responses=problems(ImportUnknown))
async def get_import(import_id: ImportId, reader: ImportReader, session: Session) -> ImportOut:
    """One import: its tables, how far it is, and at the end its summary."""
    found = await store.find(session, reader, import_id)
    return ImportOut.with_tables(found, await store.tables_of(session, import_id))


@router.get("/{import_id}/rows", responses=problems(ImportUnknown))
async def list_import_rows(
    import_id: ImportId, reader: ImportReader, session: Session, filters: Annotated[RowFilters, Query()]
) -> Page[RowOut]:
    """List what became of every row read, by table and row; kept for 90 days after the import's end."""
    await store.find(session, reader, import_id)
    found = [RowOut.of(row) for row in await store.row_page(session, import_id, filters)]
    items, cursor = page_of(found, filters.limit, lambda r: r.table, lambda r: r.row)
    return Page(items=items, next_cursor=cursor)
