"""Endpoints of the aliases room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.paging import Page, page_of
from kit.problems import NotFound, RegionForbidden, problems
from services.registry.aliases import store
from services.registry.aliases.schemas import AliasFilters, AliasOut

router = APIRouter(prefix="/place-aliases", tags=["imports"])

AliasReader = Annotated[Caller, requires(Scope.IMPORTS_READ)]
AliasWriter = Annotated[Caller, requires(Scope.IMPORTS_WRITE)]


@router.get("", responses=problems(RegionForbidden))
async def list_place_aliases(
    reader: AliasReader, session: Session, filters: Annotated[AliasFilters, Query()]
) -> Page[AliasOut]:
    """List how other systems write villages of your region, and which villages they mean."""
    found = [AliasOut.of(alias) for alias in await store.list_page(session, reader, filters)]
    items, cursor = page_of(found, filters.limit, lambda a: a.region_code, lambda a: a.id)
    return Page(items=items, next_cursor=cursor)


@router.delete("/{alias}", status_code=204, responses=problems(NotFound))
async def forget_place_alias(
    alias: Annotated[UUID, Path(description="Id of the settled name")], writer: AliasWriter, session: Session
) -> None:
    """Forget an alias that was learned from a wrong KODE; reports stored through it stay and can be revised."""
    await session.delete(await store.find(session, writer, alias))
