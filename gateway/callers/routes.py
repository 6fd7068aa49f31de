"""Endpoints of the callers room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request

from gateway.callers.schemas import Me
from kit.access import Principal, Scope, requires_anywhere

router = APIRouter(tags=["callers"])

Myself = Annotated[Principal, requires_anywhere(Scope.SELF_READ)]


@router.get("/me")
async def get_me(myself: Myself, request: Request) -> Me:
    """Who you are to the platform, and what you may do where."""
    return Me.of(myself, request.scope["call"].credential)
