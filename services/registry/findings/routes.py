"""Endpoints of the findings room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from kit.database import Session
from kit.paging import Page, page_of
from kit.problems import RegionForbidden, problems
from services.registry.findings import store
from services.registry.findings.schemas import FindingFilters, FindingOut
from services.registry.villages.routes import VillageReader

router = APIRouter(prefix="/findings", tags=["findings"])


@router.get("", responses=problems(RegionForbidden))
async def list_findings(
    reader: VillageReader, session: Session, filters: Annotated[FindingFilters, Query()]
) -> Page[FindingOut]:
    """List what does not add up in your region: shown, never repaired."""
    found = [FindingOut.of(finding) for finding in await store.list_page(session, reader, filters)]
    items, cursor = page_of(found, filters.limit, lambda f: f.region_code, lambda f: f.id)
    return Page(items=items, next_cursor=cursor)
