"""Endpoints of the callers room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Security

from gateway.callers.schemas import Me
from kit.access import Principal, Scope, known_principal

router = APIRouter(tags=["callers"])

Myself = Annotated[Principal, Security(known_principal, scopes=[Scope.SELF_READ.value])]


@router.get("/me")
async def get_me(myself: Myself, request: Request) -> Me:
    """Who you are to the platform, and what you may do where."""
    return Me.of(myself, request.scope["call"].credential)
