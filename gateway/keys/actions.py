"""What can be done to keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.keys import rules, store
from gateway.keys.schemas import KeyIn, KeyStatus, status_of
from gateway.keys.tables import ApiKey
from kit import clock, problems
from kit.access import Caller
from kit.ids import uuid7


@dataclass(frozen=True)
class Repeatable:
    """An Idempotency-Key and the digest of the request it came with."""

    key: str
    digest: bytes


@dataclass(frozen=True)
class Issued:
    """A key and, the first time only, what its owner needs."""

    key: ApiKey
    written: str | None


async def issue_key(session: AsyncSession, caller: Caller, draft: KeyIn, once: Repeatable | None) -> Issued:
    """Issue a key. Its own idempotency, because kit's keeps answers and this answer holds a secret.

    Raises:
        RegionForbidden: the key would reach beyond its issuer's region.
        Invalid: it would have expired already.
        KeyReused: the Idempotency-Key was used for another request.
    """
    _check_region(caller, draft.region)
    if draft.expires_at is not None and draft.expires_at <= clock.now():
        detail = "a key cannot expire in the past"
        raise problems.Invalid(detail, errors=[{"pointer": "#/expires_at", "detail": detail}])
    secret = secrets.token_hex(rules.SECRET_BYTES)
    row = _new_row(caller.id, draft, secret, once)
    if await store.insert_once(session, row):
        return Issued(ApiKey(**row), rules.written(row["id"], secret))
    assert once is not None
    key = await store.find_replayed(session, caller.id, once.key)
    if key.request_digest != once.digest:
        raise problems.KeyReused
    return Issued(key, None)


async def revoke_key(session: AsyncSession, caller: Caller, key_id: UUID) -> None:
    """Revoke a key for good; revoking it again changes nothing.

    Raises:
        KeyUnknown: there is none in the caller's region.
        Conflict: nobody could manage keys any more.
    """
    now = clock.now()
    administrators = await store.lock_administrators(session, now)
    key = await store.find(session, caller, key_id, lock=True)
    if status_of(key, now) is KeyStatus.REVOKED:
        return
    if [administrator.id for administrator in administrators] == [key.id]:
        raise problems.Conflict("this is the last administrator's key for the whole country: issue another one first")
    key.revoked_at, key.revoked_by = now, caller.id
    session.add(key)
    await store.tell_others(session, key.id)


def _check_region(caller: Caller, region: str | None) -> None:
    if region is None and caller.region is not None:
        raise problems.RegionForbidden(f"a key for the whole country is beyond your region {caller.region}")
    if region is not None:
        caller.narrow(region)


def _new_row(created_by: str, draft: KeyIn, secret: str, once: Repeatable | None) -> dict[str, Any]:
    return {
        **draft.model_dump(),
        "id": uuid7(),
        "secret_hash": rules.digest(secret),
        "created_at": clock.now(),
        "created_by": created_by,
        "idempotency_key": once.key if once else None,
        "request_digest": once.digest if once else None,
    }
