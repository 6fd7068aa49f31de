"""Endpoints of the callers room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from gateway.callers.presenting import ends_at, own_key, require_key
from gateway.callers.schemas import Me
from gateway.keys import actions as keys
from gateway.keys.keyring import Keyring
from gateway.keys.schemas import OwnKeyRotated, OwnRotationIn
from gateway.repeatable import OnlyOnce, mark_replayed
from kit import clock
from kit.access import Principal, Scope, requires_anywhere
from kit.database import Session
from kit.problems import Conflict, KeyNeeded, KeyReused, problems

router = APIRouter(tags=["callers"])

Myself = Annotated[Principal, requires_anywhere(Scope.SELF_READ)]
MyselfActing = Annotated[Principal, requires_anywhere(Scope.SELF_WRITE)]


@router.get("/me")
async def get_me(myself: Myself, request: Request) -> Me:
    """Who you are to the platform, what you may do where, and until when."""
    key = own_key(request, clock.now())
    return Me.of(myself, request.scope["call"].credential, ends_at(request, key), key)


@router.post("/me/rotation", responses=problems(KeyNeeded, Conflict, KeyReused))
async def rotate_my_key(
    asked: OwnRotationIn,
    _myself: MyselfActing,
    session: Session,
    request: Request,
    response: Response,
    once: OnlyOnce,
) -> OwnKeyRotated:
    """Give the key that you come with a new secret. It is in this answer and nowhere else.

    The id, the rights and the end of the key stay. Two secrets at a time, no more: while the one before is good this is
    a 409, whichever of them you show. A request that is sent again with its Idempotency-Key makes no third. Only the key
    itself may do it: with a token or a session it is a 403.
    """
    shown = require_key(request)
    rotated = await keys.rotate_own_key(session, shown, request.scope["call"].client, asked, once)
    keyring: Keyring = request.app.state.keyring
    keyring.forget_after_commit(session, rotated.key.id)
    response.headers["Cache-Control"] = "no-store"
    if rotated.written is None:
        mark_replayed(response)
    return OwnKeyRotated(key=rotated.written, **rotated.key.model_dump(include=set(OwnKeyRotated.model_fields)))
