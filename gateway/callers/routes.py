"""Endpoints of the callers room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from gateway.callers.schemas import Me
from kit.access import Caller, Scope, requires

router = APIRouter(tags=["callers"])


@router.get("/me")
async def get_me(caller: Annotated[Caller, requires(Scope.SELF_READ)]) -> Me:
    """Who you are to the platform, and what you may do."""
    return Me(
        id=caller.id,
        name=caller.name,
        roles=sorted(caller.roles),
        scopes=sorted(caller.scopes),
        region=caller.region,
    )
