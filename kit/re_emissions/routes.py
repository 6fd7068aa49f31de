"""Endpoints of the re-emissions, the same in every service that owns facts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import ListFilters, Page, page_of
from kit.problems import KeyReused, NotFound, RegionForbidden, problems
from kit.re_emissions import TAG, store
from kit.re_emissions.schemas import ReEmissionIn, ReEmissionOut

EventOperator = Annotated[Caller, requires(Scope.EVENTS_OPERATE)]
ReEmissionId = Annotated[UUID, Path(description="Id of the re-emission")]


def re_emissions_router(service: str) -> APIRouter:
    """The re-emissions of one service, under its own name."""
    router = APIRouter(prefix=f"/{TAG}/{service}", tags=[TAG])

    @router.post(
        "",
        name=f"start_{service}_re_emission",
        status_code=202,
        response_model=ReEmissionOut,
        responses=problems(RegionForbidden, KeyReused),
        openapi_extra=HEAVY,
    )
    async def start_re_emission(
        asked: ReEmissionIn, operator: EventOperator, session: Session, once: OnlyOnce
    ) -> Response:
        """Tell the present state of everything again, as new events; it is done in the background.

        Versions stay as they are, so whoever has the state already changes nothing.
        """

        async def start() -> Answer:
            job = await store.add(session, operator, operator.narrow(asked.region), asked.reason)
            headers = {"Location": f"/api/v1/{TAG}/{service}/{job.id}"}
            return Answer(ReEmissionOut.of(service, job), 202, headers)

        return await once(operator, start)

    @router.get("", name=f"list_{service}_re_emissions")
    async def list_re_emissions(
        operator: EventOperator, session: Session, filters: Annotated[ListFilters, Query()]
    ) -> Page[ReEmissionOut]:
        """List re-emissions of regions within yours, newest first."""
        found = [ReEmissionOut.of(service, row) for row in await store.list_page(session, operator, filters)]
        items, cursor = page_of(found, filters.limit, lambda job: job.id)
        return Page(items=items, next_cursor=cursor)

    @router.get("/{re_emission}", name=f"get_{service}_re_emission", responses=problems(NotFound))
    async def get_re_emission(re_emission: ReEmissionId, operator: EventOperator, session: Session) -> ReEmissionOut:
        """One re-emission; done means that all its events are committed and have their positions in the feed."""
        return ReEmissionOut.of(service, await store.find(session, operator, re_emission))

    return router
