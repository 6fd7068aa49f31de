"""Endpoints of the villages room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.idempotency import Answer, OnlyOnce
from kit.paging import Page, page_of
from kit.problems import (
    Conflict,
    PreconditionRequired,
    RegionForbidden,
    RegionUnknown,
    Stale,
    VillageUnknown,
    problems,
)
from services.registry.regions import store as regions
from services.registry.villages import actions, store
from services.registry.villages.schemas import VillageChange, VillageFilters, VillageIn, VillageOut

router = APIRouter(prefix="/villages", tags=["villages"])

VillageReader = Annotated[Caller, requires(Scope.VILLAGES_READ)]
VillageWriter = Annotated[Caller, requires(Scope.VILLAGES_WRITE)]
VillageRef = Annotated[
    str, Path(description="Id of the Kampung KB, or the region code of its desa", examples=["33.26.01.2001"])
]


@router.post(
    "",
    status_code=201,
    response_model=VillageOut,
    responses=problems(RegionForbidden, RegionUnknown, Conflict),
)
async def register_village(draft: VillageIn, writer: VillageWriter, session: Session, once: OnlyOnce) -> Response:
    """Register the Kampung KB of a desa or kelurahan; there is one active per desa."""

    async def register() -> Answer:
        new = await actions.register_village(session, writer, draft)
        headers = {"ETag": etag(new.village.version), "Location": f"/api/v1/villages/{new.village.id}"}
        return Answer(VillageOut.of(new.village, new.names), headers=headers)

    return await once(writer, register)


@router.get("", responses=problems(RegionForbidden))
async def list_villages(
    reader: VillageReader, session: Session, filters: Annotated[VillageFilters, Query()]
) -> Page[VillageOut]:
    """List Kampung KB of your region by region code."""
    found = await store.list_page(session, reader, filters)
    names = await regions.names_of(session, (village.region_code for village in found))
    out = [VillageOut.of(village, names[village.region_code]) for village in found]
    items, cursor = page_of(out, filters.limit, lambda v: v.region_code, lambda v: v.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{village}", responses=problems(VillageUnknown))
async def get_village(village: VillageRef, reader: VillageReader, session: Session, response: Response) -> VillageOut:
    """One Kampung KB; its ETag is what If-Match wants when you change it."""
    found = await store.find(session, reader, village)
    response.headers["ETag"] = etag(found.version)
    return VillageOut.of(found, (await regions.names_of(session, [found.region_code]))[found.region_code])


@router.patch("/{village}", responses=problems(VillageUnknown, Conflict, Stale, PreconditionRequired))
async def change_village(
    village: VillageRef,
    change: VillageChange,
    writer: VillageWriter,
    session: Session,
    response: Response,
    if_match: IfMatch = None,
) -> VillageOut:
    """Change a Kampung KB: fields left out stay, null makes them not reported."""
    changed = await actions.change_village(session, writer, village, if_match, change)
    response.headers["ETag"] = etag(changed.village.version)
    return VillageOut.of(changed.village, changed.names)
