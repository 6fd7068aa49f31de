"""What can be done to webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deliveries import metrics
from gateway.deliveries import store as deliveries
from gateway.repeatable import Repeatable
from gateway.webhooks import rules, store
from gateway.webhooks.owners import standing
from gateway.webhooks.rules import Destinations, Unsuitable
from gateway.webhooks.schemas import Missed, Reason, Rotation, State, WebhookIn, WebhookPatch
from gateway.webhooks.tables import Webhook
from gateway.webhooks.vault import Vault
from kit import clock, problems
from kit.access import Caller
from kit.changes import cursor
from kit.etags import require_match
from kit.ids import uuid7

MOST_EACH = 50
"""Webhooks of one owner that have not ended: each costs a connection and a line of the log for every event."""


@dataclass(frozen=True)
class Outfit:
    """What the gateway has for all webhooks: how secrets are kept, where events may be sent, and where the feeds end."""

    vault: Vault
    destinations: Destinations
    ends: Callable[[], Awaitable[Mapping[str, str]]]
    """Cursors by service, without those that cannot be asked just now."""


@dataclass(frozen=True)
class Issued:
    """A webhook and, the first time only, its secret."""

    webhook: Webhook
    secret: str | None = field(repr=False)


async def create_webhook(
    session: AsyncSession, caller: Caller, draft: WebhookIn, outfit: Outfit, once: Repeatable | None
) -> Issued:
    """Make a webhook; the same request again answers it without its secret.

    It begins at the cursors that are given, and where the other feeds end now: they are followed for all together, and
    what was read of them last may be older. Where one cannot be asked, it begins with what is read next for all.

    Raises:
        RegionForbidden: it would see beyond its owner's region.
        Invalid: nothing may be sent there, or a cursor is none.
        Conflict: its owner has too many already, or cannot have any.
        KeyReused: the Idempotency-Key was used for another request.
    """
    row = _new_row(caller, draft, outfit, once)
    _check_cursors(draft.since)
    secret = rules.written_secret(secrets.token_bytes(rules.SECRET_BYTES))
    row["secret"] = outfit.vault.seal(secret, row["id"])
    ends = await outfit.ends()
    there = await store.lock_owner(session, caller.id)
    replayed = await store.find_replayed(session, caller.id, once.key) if once else None
    if once is not None and replayed is not None:
        once.require_same(replayed.request_digest)
        return Issued(replayed, None)
    if isinstance(await standing(session, caller.id), Reason):
        raise problems.Conflict("a webhook belongs to a key of this platform: it is checked anew before every event")
    if there >= MOST_EACH:
        raise problems.Conflict(f"you have {there} webhooks already, as many as one owner may have")
    await store.add(session, row)
    await store.begin_at(session, row["id"], {**ends, **draft.since})
    await store.wake(session)
    return Issued(Webhook(**row), secret)


async def change_webhook(
    session: AsyncSession, caller: Caller, number: UUID, patch: WebhookPatch, if_match: str | None, outfit: Outfit
) -> Webhook:
    """Change what is sent, or where. Events that wait are sent to the new address.

    Raises:
        RegionForbidden, Invalid: as when it is made.
        Forbidden: it is another owner's.
        Stale, PreconditionRequired: see there.
        Conflict: it has ended.
    """
    webhook = await _own(session, caller, number, if_match)
    given = patch.model_dump(exclude_unset=True)
    _refuse_nulls(given)
    if "url" in given:
        _check_url(given["url"], outfit.destinations)
        webhook.retry_at = None  # another receiver: it need not wait for what the one before did
    if "region" in given:
        given["region"] = caller.narrow(given["region"])
    for name, value in given.items():
        setattr(webhook, name, value)
    return await _changed(session, webhook)


async def pause_webhook(session: AsyncSession, caller: Caller, number: UUID) -> Webhook:
    """Send no events until it is resumed; they wait. Pausing it again changes nothing.

    Administrators of its region may do it, too.

    Raises:
        WebhookUnknown: there is none, or it is not the caller's to see.
        Conflict: it has ended.
    """
    webhook = await store.find(session, caller, number, lock=True)
    _refuse_ended(webhook)
    if webhook.state == State.PAUSED:
        return webhook
    halt(webhook, Reason.ASKED)
    return await _changed(session, webhook)


async def resume_webhook(session: AsyncSession, caller: Caller, number: UUID, missed: Missed) -> Webhook:
    """Send events again. What waited is sent first, or skipped. Resuming what is active changes nothing.

    Raises:
        Forbidden: it is another owner's.
        Conflict: it has ended.
    """
    webhook = await _own_locked(session, caller, number)
    if webhook.state == State.ACTIVE:
        return webhook
    if missed is Missed.SKIP:
        await _skip_waiting(session, webhook)
    else:
        await deliveries.try_anew(session, webhook.id, clock.now())
    webhook.state, webhook.reason, webhook.state_since = State.ACTIVE.value, None, clock.now()
    forget_failures(webhook)
    return await _changed(session, webhook)


async def rotate_secret(
    session: AsyncSession, caller: Caller, number: UUID, rotation: Rotation, if_match: str | None, outfit: Outfit
) -> Issued:
    """Give a webhook another secret; the one before signs as well until the overlap is over.

    Raises:
        Forbidden: it is another owner's.
        Stale, PreconditionRequired: see there; a rotation that is sent twice would lose the secret between.
        Conflict: it has ended.
    """
    webhook = await _own(session, caller, number, if_match)
    secret = rules.written_secret(secrets.token_bytes(rules.SECRET_BYTES))
    overlap = timedelta(hours=rotation.overlap_hours)
    webhook.previous_secret = webhook.secret if overlap else None
    webhook.previous_until = clock.now() + overlap if overlap else None
    webhook.secret = outfit.vault.seal(secret, webhook.id)
    return Issued(await _changed(session, webhook), secret)


async def delete_webhook(session: AsyncSession, caller: Caller, number: UUID) -> None:
    """Delete a webhook with its log. Administrators of its region may do it, too.

    Raises:
        WebhookUnknown: there is none, or it is not the caller's to see.
    """
    await session.delete(await store.find(session, caller, number, lock=True))


def halt(webhook: Webhook, reason: Reason) -> None:
    """Pause a webhook; the row is the caller's to store."""
    webhook.state, webhook.reason, webhook.state_since = State.PAUSED.value, reason.value, clock.now()


async def end_webhook(session: AsyncSession, webhook: Webhook, reason: Reason) -> None:
    """End a webhook for good: its owner may not have it any more. What waits is not sent."""
    webhook.state, webhook.reason, webhook.state_since = State.ENDED.value, reason.value, clock.now()
    forget_failures(webhook)
    await _skip_waiting(session, webhook)
    await deliveries.end_pings(session, webhook.id, clock.now())
    await _changed(session, webhook)


def forget_failures(webhook: Webhook) -> None:
    """All is well with the receiver, or it is not asked any more."""
    webhook.failures, webhook.failing_since, webhook.retry_at = 0, None, None


async def find_own(session: AsyncSession, caller: Caller, number: UUID) -> Webhook:
    """A webhook of the caller's own that has not ended, locked.

    Raises:
        WebhookUnknown, Forbidden, Conflict: see `resume_webhook`.
    """
    return await _own_locked(session, caller, number)


async def _skip_waiting(session: AsyncSession, webhook: Webhook) -> None:
    skipped = await deliveries.skip_waiting(session, webhook.id, clock.now())
    metrics.DELIVERIES.labels("skipped").inc(skipped)


def _new_row(caller: Caller, draft: WebhookIn, outfit: Outfit, once: Repeatable | None) -> dict[str, Any]:
    _check_url(draft.url, outfit.destinations)
    now = clock.now()
    return {
        "id": uuid7(),
        "version": 1,
        "owner_id": caller.id,
        "name": draft.name,
        "url": draft.url,
        "types": draft.types,
        "region": caller.narrow(draft.region),
        "state": State.ACTIVE.value,
        "reason": None,
        "state_since": now,
        "created_at": now,
        "failures": 0,
        "idempotency_key": once.key if once else None,
        "request_digest": once.digest if once else None,
    }


def _check_url(url: str, destinations: Destinations) -> None:
    try:
        rules.target_of(url, destinations)
    except Unsuitable as why:
        raise problems.Invalid(str(why), errors=[{"pointer": "#/url", "detail": str(why)}]) from why


def _check_cursors(since: Mapping[str, str]) -> None:
    for service, place in since.items():
        try:
            cursor.read(service, place)
        except problems.Invalid as invalid:
            errors = [{"pointer": f"#/since/{service}", "detail": "this is not a cursor of this feed"}]
            raise problems.Invalid(invalid.detail, errors=errors) from invalid


def _refuse_nulls(given: Mapping[str, Any]) -> None:
    for name in ("name", "url"):
        if name in given and given[name] is None:
            raise problems.Invalid(errors=[{"pointer": f"#/{name}", "detail": "this cannot be null"}])


async def _own(session: AsyncSession, caller: Caller, number: UUID, if_match: str | None) -> Webhook:
    webhook = await _own_locked(session, caller, number)
    require_match(if_match, webhook.version)
    return webhook


async def _own_locked(session: AsyncSession, caller: Caller, number: UUID) -> Webhook:
    webhook = await store.find(session, caller, number, lock=True)
    if webhook.owner_id != caller.id:
        raise problems.Forbidden("this webhook is another owner's: you may look at it, pause it and delete it")
    _refuse_ended(webhook)
    return webhook


def _refuse_ended(webhook: Webhook) -> None:
    if webhook.state == State.ENDED:
        raise problems.Conflict("this webhook has ended with its owner's rights: make another one")


async def _changed(session: AsyncSession, webhook: Webhook) -> Webhook:
    webhook.version += 1
    session.add(webhook)
    await session.flush()
    await store.wake(session)
    return webhook
