"""Endpoints of the actors room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from kit.access import Caller, Scope, requires
from kit.problems import NotFound, problems
from services.interventions.actors.reference import Actor, ActorCode, actor_list, actors_by_code
from services.interventions.actors.schemas import ActorFilters, ActorsOut

router = APIRouter(prefix="/actors", tags=["actors"])

ActorReader = Annotated[Caller, requires(Scope.INTERVENTIONS_READ)]


@router.get("")
async def list_actors(_reader: ActorReader, filters: Annotated[ActorFilters, Query()]) -> ActorsOut:
    """List all kinds of institutions, with what the list rests on."""
    whole = actor_list()
    return ActorsOut(
        edition=whole.edition,
        provenance=list(whole.provenance),
        actors=[
            actor for actor in whole.actors if filters.pentahelix is None or filters.pentahelix in actor.pentahelix
        ],
    )


@router.get("/{code}", responses=problems(NotFound))
async def get_actor(
    code: Annotated[ActorCode, Path(description="Code of the kind of institution, like `opd-ppkb`")],
    _reader: ActorReader,
) -> Actor:
    """One kind of institution."""
    actor = actors_by_code().get(code)
    if actor is None:
        raise NotFound(f"the actor list has no {code}")
    return actor
