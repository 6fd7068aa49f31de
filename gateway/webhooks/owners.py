"""Whose a webhook is, and what he may do now: a webhook never sees more than its owner, and ends with him."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.keys import store as keys
from gateway.keys.keyring import principal_of
from gateway.keys.schemas import KeyStatus, status_of
from gateway.webhooks.schemas import Reason
from kit import clock
from kit.access import Caller, Role, Scope
from kit.problems import Forbidden

NEEDED = frozenset({Scope.WEBHOOKS_MANAGE, Scope.CHANGES_READ})
"""What an owner must be allowed for events to be sent."""

_ENDED = {KeyStatus.REVOKED: Reason.OWNER_REVOKED, KeyStatus.EXPIRED: Reason.OWNER_EXPIRED}


async def standing(session: AsyncSession, owner_id: str) -> Caller | Reason:
    """Who the owner of a webhook is at this moment, or why his webhooks end."""
    key = await keys.load(session, UUID(owner_id)) if _is_id(owner_id) else None
    if key is None:
        return Reason.OWNER_NOT_ALLOWED
    status = status_of(key, clock.now())
    if status is not KeyStatus.ACTIVE:
        return _ENDED[status]
    try:
        return principal_of(key).caller(NEEDED)
    except Forbidden:  # GrantsUnclear is one
        return Reason.OWNER_NOT_ALLOWED


def administered(caller: Caller) -> Sequence[str | None]:
    """The regions whose webhooks a caller may look after besides his own; None is the whole country."""
    whole = [caller.region] if Role.ADMINISTRATOR in caller.roles else []
    return [*whole, *(grant.region for grant in caller.narrower if grant.role is Role.ADMINISTRATOR)]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
