"""Endpoints of the rebuilds, the same in every service with a projection."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import ListFilters, Page, page_of
from kit.problems import Conflict, KeyReused, NotFound, RegionForbidden, problems
from kit.rebuilds import TAG, Projection, actions, store
from kit.rebuilds.schemas import RebuildIn, RebuildOut, ReEmissionsIn

EventOperator = Annotated[Caller, requires(Scope.EVENTS_OPERATE, whole_country=True)]
RebuildId = Annotated[UUID, Path(description="Id of the rebuild")]


def rebuilds_router(service: str, projection: Projection) -> APIRouter:
    """The rebuilds of one service, under its own name."""
    router = APIRouter(prefix=f"/{TAG}/{service}", tags=[TAG])

    @router.post(
        "",
        name=f"start_{service}_rebuild",
        status_code=202,
        response_model=RebuildOut,
        responses=problems(RegionForbidden, Conflict, KeyReused),
        openapi_extra=HEAVY,
    )
    async def start_rebuild(asked: RebuildIn, operator: EventOperator, session: Session, once: OnlyOnce) -> Response:
        """Make this service's projection anew out of events, beside the living one, and put that right by it.

        It is done in the background; the service answers meanwhile, and its consumers pause until the rebuild has
        written (not for a dry run). Nation-wide callers only.
        """

        async def start() -> Answer:
            job = await actions.start(session, operator, projection, asked)
            headers = {"Location": f"/api/v1/{TAG}/{service}/{job.id}"}
            return Answer(RebuildOut.of(service, job), 202, headers)

        return await once(operator, start)

    @router.get("", name=f"list_{service}_rebuilds", responses=problems(RegionForbidden))
    async def list_rebuilds(
        _operator: EventOperator, session: Session, filters: Annotated[ListFilters, Query()]
    ) -> Page[RebuildOut]:
        """List rebuilds, newest first. Nation-wide callers only."""
        found = [RebuildOut.of(service, row) for row in await store.list_page(session, filters)]
        items, cursor = page_of(found, filters.limit, lambda job: job.id)
        return Page(items=items, next_cursor=cursor)

    @router.get("/{rebuild}", name=f"get_{service}_rebuild", responses=problems(RegionForbidden, NotFound))
    async def get_rebuild(rebuild: RebuildId, _operator: EventOperator, session: Session) -> RebuildOut:
        """One rebuild: how far it is, what it found and put right, or why it was refused. Nation-wide callers only."""
        return RebuildOut.of(service, await store.find(session, rebuild))

    @router.put(
        "/{rebuild}/re-emissions",
        name=f"give_{service}_rebuild_re_emissions",
        responses=problems(RegionForbidden, NotFound, Conflict),
    )
    async def give_re_emissions(
        rebuild: RebuildId, given: ReEmissionsIn, _operator: EventOperator, session: Session
    ) -> RebuildOut:
        """Tell a waiting rebuild which re-emissions it begins from. Nation-wide callers only."""
        return RebuildOut.of(service, await actions.give_re_emissions(session, projection, rebuild, given))

    @router.post(
        "/{rebuild}/cancel",
        name=f"cancel_{service}_rebuild",
        response_model=RebuildOut,
        responses=problems(RegionForbidden, NotFound, Conflict, KeyReused),
    )
    async def cancel_rebuild(rebuild: RebuildId, operator: EventOperator, session: Session, once: OnlyOnce) -> Response:
        """End a rebuild that has not written anything yet; the projection stays as it is. Nation-wide callers only."""

        async def cancel() -> Answer:
            return Answer(RebuildOut.of(service, await actions.cancel(session, operator, rebuild)), 200)

        return await once(operator, cancel)

    return router
