"""Endpoints of the regions room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from contracts.regions import RegionCode
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.paging import Page, page_of
from kit.problems import RegionUnknown, problems
from services.registry.regions import store
from services.registry.regions.schemas import RegionDetail, RegionFilters, RegionOut

router = APIRouter(prefix="/regions", tags=["regions"])

RegionReader = Annotated[Caller, requires(Scope.REGIONS_READ)]


@router.get("")
async def list_regions(
    _reader: RegionReader, session: Session, filters: Annotated[RegionFilters, Query()]
) -> Page[RegionOut]:
    """List regions of the official code list by code; the whole country is visible to every known caller."""
    found = [RegionOut.of(region) for region in await store.list_page(session, filters)]
    items, cursor = page_of(found, filters.limit, lambda region: region.code)
    return Page(items=items, next_cursor=cursor)


@router.get("/{code}", responses=problems(RegionUnknown))
async def get_region(code: RegionCode, _reader: RegionReader, session: Session) -> RegionDetail:
    """One region with all regions above it."""
    path = [RegionOut.of(region) for region in await store.get_path(session, code)]
    return RegionDetail(**path[-1].model_dump(), path=path)
