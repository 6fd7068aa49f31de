"""Endpoints of the keys room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from gateway.keys import actions, store
from gateway.keys.keyring import Keyring
from gateway.keys.schemas import KeyChange, KeyFilters, KeyIn, KeyIssued, KeyOut, KeyRotated, RotationIn
from gateway.keys.tables import ApiKey
from gateway.repeatable import OnlyOnce, mark_replayed
from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.paging import Page, page_of
from kit.problems import Conflict, KeyReused, KeyUnknown, PreconditionRequired, RegionForbidden, Stale, problems

router = APIRouter(prefix="/keys", tags=["keys"])

KeyManager = Annotated[Caller, requires(Scope.KEYS_MANAGE)]
KeyId = Annotated[UUID, Path(description="Id of the key: what stands between `kkb_` and the secret")]


@router.post("", status_code=201, responses=problems(RegionForbidden, KeyReused))
async def issue_key(
    draft: KeyIn,
    manager: KeyManager,
    session: Session,
    response: Response,
    once: OnlyOnce,
) -> KeyIssued:
    """Issue a key. The key itself is in this answer and nowhere else."""
    issued = await actions.issue_key(session, manager, draft, once)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Location"] = f"/api/v1/keys/{issued.key.id}"
    if issued.written is None:
        mark_replayed(response)
    return KeyIssued(key=issued.written, **KeyOut.of(issued.key, clock.now()).model_dump())


@router.get("", responses=problems(RegionForbidden))
async def list_keys(manager: KeyManager, session: Session, filters: Annotated[KeyFilters, Query()]) -> Page[KeyOut]:
    """List the keys of your region, oldest first."""
    now = clock.now()
    found = await store.list_page(session, manager, filters, now)
    items, cursor = page_of([KeyOut.of(key, now) for key in found], filters.limit, lambda key: key.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/{key}", responses=problems(KeyUnknown))
async def get_key(key: KeyId, manager: KeyManager, session: Session, response: Response) -> KeyOut:
    """One key, without its secret; its ETag is what If-Match wants when you change it."""
    return _told(await store.find(session, manager, key), response)


@router.patch("/{key}", responses=problems(KeyUnknown, Conflict, Stale, PreconditionRequired))
async def change_key(
    key: KeyId,
    change: KeyChange,
    manager: KeyManager,
    session: Session,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> KeyOut:
    """Change until when and from where a key is good: at once here, within seconds wherever else the gateway runs."""
    client = request.client.host if request.client else ""
    changed = await actions.change_key(session, manager, key, if_match, change, client)
    _forget(request, session, key)
    return _told(changed, response)


@router.delete("/{key}", status_code=204, responses=problems(KeyUnknown, Conflict))
async def revoke_key(key: KeyId, manager: KeyManager, session: Session, request: Request) -> None:
    """Revoke a key: at once here, within seconds wherever else the gateway runs."""
    await actions.revoke_key(session, manager, key)
    _forget(request, session, key)


@router.post("/{key}/rotation", responses=problems(KeyUnknown, Conflict))
async def rotate_key(
    key: KeyId, asked: RotationIn, manager: KeyManager, session: Session, request: Request, response: Response
) -> KeyRotated:
    """Give a key a new secret. It is in this answer and nowhere else; the old one stays good until the time you give.

    Two secrets at a time, no more: where a rotation is under way this is a 409, so a repeated request makes no third.
    If the answer was lost, cancel the rotation and begin again.
    """
    rotated = await actions.rotate_key(session, manager, key, asked)
    _forget(request, session, key)
    response.headers["Cache-Control"] = "no-store"
    assert rotated.written is not None
    return KeyRotated(key=rotated.written, **_told(rotated.key, response).model_dump())


@router.post("/{key}/rotation/completion", responses=problems(KeyUnknown, Conflict))
async def complete_key_rotation(
    key: KeyId, manager: KeyManager, session: Session, request: Request, response: Response
) -> KeyOut:
    """End the old secret at once. Look at `old_secret_used_at` first: somebody may still use it."""
    found = await actions.complete_rotation(session, manager, key)
    _forget(request, session, key)
    return _told(found, response)


@router.post("/{key}/rotation/cancel", responses=problems(KeyUnknown, Conflict))
async def cancel_key_rotation(
    key: KeyId, manager: KeyManager, session: Session, request: Request, response: Response
) -> KeyOut:
    """Take the new secret back at once, as long as the old one is good."""
    found = await actions.cancel_rotation(session, manager, key)
    _forget(request, session, key)
    return _told(found, response)


def _told(key: ApiKey, response: Response) -> KeyOut:
    response.headers["ETag"] = etag(key.version)
    return KeyOut.of(key, clock.now())


def _forget(request: Request, session: Session, key: UUID) -> None:
    keyring: Keyring = request.app.state.keyring
    keyring.forget_after_commit(session, key)
