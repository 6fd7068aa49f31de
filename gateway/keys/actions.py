"""What can be done to keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.keys import rules, store
from gateway.keys.keyring import as_known, opening
from gateway.keys.schemas import KeyChange, KeyIn, KeyStatus, OwnRotationIn, RotationIn, status_of
from gateway.keys.tables import ApiKey
from gateway.metrics import KEY_ROTATIONS
from gateway.proxy.origin import address_of, lies_in, parse_network
from gateway.repeatable import Repeatable
from kit import clock, problems
from kit.access import Caller
from kit.etags import require_match
from kit.ids import uuid7


@dataclass(frozen=True)
class Issued:
    """A key and, the first time only, what its owner needs."""

    key: ApiKey
    written: str | None


async def issue_key(session: AsyncSession, caller: Caller, draft: KeyIn, once: Repeatable | None) -> Issued:
    """Issue a key; the same request again answers it without its secret.

    Raises:
        RegionForbidden: the key would reach beyond its issuer's region.
        Invalid: it would have expired already.
        KeyReused: the Idempotency-Key was used for another request.
    """
    _check_region(caller, draft.region)
    _check_expiry(draft.expires_at, clock.now())
    secret = secrets.token_hex(rules.SECRET_BYTES)
    row = _new_row(caller.id, draft, secret, once)
    if await store.insert_once(session, row):
        return Issued(ApiKey(**row), rules.written(row["id"], secret))
    assert once is not None
    key = await store.find_replayed(session, caller.id, once.key)
    once.require_same(key.request_digest)
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
    await _changed(session, key)


async def change_key(
    session: AsyncSession, caller: Caller, key_id: UUID, if_match: str | None, change: KeyChange, client: str
) -> ApiKey:
    """Change until when and from where a key is good; `client` is the address that the change is asked from.

    Raises:
        KeyUnknown: there is none in the caller's region.
        Conflict: the key is not active.
        PreconditionRequired, Stale: no If-Match, or the key has changed since.
        Invalid: it would expire in the past, or the caller would lock himself out.
    """
    now = clock.now()
    key = await _find_active(session, caller, key_id, now)
    require_match(if_match, key.version)
    given = change.model_dump(exclude_unset=True)
    _check_expiry(given.get("expires_at"), now)
    if str(key.id) == caller.id:
        _check_own_address(given.get("allowed_addresses"), client)
    changes = {name: value for name, value in given.items() if value != getattr(key, name)}
    for name, value in changes.items():
        setattr(key, name, value)
    if changes:
        await _changed(session, key)
    return key


async def rotate_key(session: AsyncSession, caller: Caller, key_id: UUID, asked: RotationIn) -> Issued:
    """Give a key a new secret; the old one stays good until the given time, so that nobody is locked out meanwhile.

    Raises:
        KeyUnknown: there is none in the caller's region.
        Invalid: the old one would end in the past, or later than thirty days from now.
        Conflict: the key is not active, or two secrets are good already.
    """
    now = clock.now()
    _check_overlap(asked.old_secret_until, now)
    key = await _find_active(session, caller, key_id, now)
    return await _rotate(session, key, asked.old_secret_until or now, now, caller.id)


async def rotate_own_key(
    session: AsyncSession, shown: rules.Presented, client: str, asked: OwnRotationIn, once: Repeatable | None
) -> Issued:
    """Give the key that was shown, from the address of the client, a new secret; the same request again answers none.

    The key is checked anew with its row locked: what the door remembers of it may be older than its end, or than the
    end of the secret that was shown.

    Raises:
        Unauthenticated: it opens the door no more.
        AddressForbidden: not from there.
        Conflict: two secrets are good already, whichever of them was shown.
        KeyReused: the Idempotency-Key was used for another request.
    """
    now = clock.now()
    key = await store.load(session, shown.id, lock=True)
    if key is None:
        raise problems.Unauthenticated("the key is not known")
    opening(as_known(key), shown.secret, client, now)
    if once is not None and key.rotation_idempotency_key == once.key:
        once.require_same(key.rotation_digest)
        return Issued(key, None)
    return await _rotate(session, key, now + timedelta(hours=asked.overlap_hours), now, str(key.id), once)


async def complete_rotation(session: AsyncSession, caller: Caller, key_id: UUID) -> ApiKey:
    """End the old secret now; where it has ended already nothing changes.

    Raises:
        KeyUnknown: there is none in the caller's region.
        Conflict: the key is not active.
    """
    now = clock.now()
    key = await _find_active(session, caller, key_id, now)
    if _has_two_secrets(key, now):
        key.old_secret_until = now
        await _changed(session, key)
    return key


async def cancel_rotation(session: AsyncSession, caller: Caller, key_id: UUID) -> ApiKey:
    """Take the new secret back, lost or shown to the wrong person: the old one is the only one again.

    Raises:
        KeyUnknown: there is none in the caller's region.
        Conflict: the key is not active, or its old secret has ended, so that nobody could use it any more.
    """
    now = clock.now()
    key = await _find_active(session, caller, key_id, now)
    if not _has_two_secrets(key, now) or key.old_secret_hash is None:
        raise problems.Conflict("no rotation is under way: there is no old secret to go back to")
    key.secret_hash = key.old_secret_hash
    key.old_secret_hash = key.old_secret_until = key.old_secret_used_at = key.rotated_at = key.rotated_by = None
    key.rotation_idempotency_key = key.rotation_digest = None
    await _changed(session, key)
    return key


async def _rotate(
    session: AsyncSession, key: ApiKey, until: datetime, now: datetime, by: str, once: Repeatable | None = None
) -> Issued:
    """Give a locked key a new secret; nothing else of it changes, neither its rights nor its life."""
    if _has_two_secrets(key, now):
        raise problems.Conflict(
            "two secrets are good already: an administrator can complete the last rotation, which ends the older one, "
            "or cancel it",
            old_secret_until=key.old_secret_until.isoformat() if key.old_secret_until else None,
        )
    secret = secrets.token_hex(rules.SECRET_BYTES)
    key.old_secret_hash, key.old_secret_until, key.old_secret_used_at = key.secret_hash, until, None
    key.secret_hash, key.rotated_at, key.rotated_by = rules.digest(secret), now, by
    key.rotation_idempotency_key, key.rotation_digest = (once.key, once.digest) if once else (None, None)
    await _changed(session, key)
    KEY_ROTATIONS.labels("holder" if by == str(key.id) else "administrator").inc()
    return Issued(key, rules.written(key.id, secret))


async def _changed(session: AsyncSession, key: ApiKey) -> None:
    """Count a change, and let every gateway process forget what it knew of the key."""
    key.version += 1
    session.add(key)
    await store.tell_others(session, key.id)


def _has_two_secrets(key: ApiKey, now: datetime) -> bool:
    return key.old_secret_until is not None and now < key.old_secret_until


async def _find_active(session: AsyncSession, caller: Caller, key_id: UUID, now: datetime) -> ApiKey:
    key = await store.find(session, caller, key_id, lock=True)
    status = status_of(key, now)
    if status is not KeyStatus.ACTIVE:
        raise problems.Conflict(f"the key is {status}: issue another one")
    return key


def _check_expiry(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        detail = "a key cannot expire in the past"
        raise problems.Invalid(detail, errors=[{"pointer": "#/expires_at", "detail": detail}])


def _check_own_address(ranges: list[str] | None, client: str) -> None:
    """Nobody shuts the door behind himself with a slip of the pen."""
    address = address_of(client)
    if ranges is None or address is None or lies_in(address, [parse_network(text) for text in ranges]):
        return
    detail = f"this is your own key, and you use it from {client}, which would not be allowed any more"
    raise problems.Invalid(detail, errors=[{"pointer": "#/allowed_addresses", "detail": detail}])


def _check_overlap(until: datetime | None, now: datetime) -> None:
    if until is None or now < until <= now + rules.LONGEST_OVERLAP:
        return
    detail = f"the old secret ends at a time from now to {rules.LONGEST_OVERLAP.days} days ahead, or at once (null)"
    raise problems.Invalid(detail, errors=[{"pointer": "#/old_secret_until", "detail": detail}])


def _check_region(caller: Caller, region: str | None) -> None:
    if region is None and caller.region is not None:
        raise problems.RegionForbidden(f"a key for the whole country is beyond your region {caller.region}")
    if region is not None:
        caller.narrow(region)


def _new_row(created_by: str, draft: KeyIn, secret: str, once: Repeatable | None) -> dict[str, Any]:
    return {
        **draft.model_dump(),
        "id": uuid7(),
        "version": 1,
        "secret_hash": rules.digest(secret),
        "created_at": clock.now(),
        "created_by": created_by,
        "idempotency_key": once.key if once else None,
        "request_digest": once.digest if once else None,
    }
