"""What can be done with dead letters: requeue, discard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import decode
from kit import problems
from kit.access import Caller
from kit.dead_letters import store
from kit.dead_letters.schemas import DeadLetterOut, Outcome, RequeuedOut
from kit.inbox import Subscription, apply_once, reason_of


async def requeue(
    session: AsyncSession, caller: Caller, number: int, subscriptions: Sequence[Subscription]
) -> RequeuedOut | problems.StillFailing:
    """Handle an event again, now, as its consumer would; effect, inbox row and outcome are one transaction.

    An event that fails again leaves no effect; its attempt and reason are written, so the problem is answered and not
    raised: the transaction must be committed.

    Raises:
        DeadLetterUnknown: not there or not visible.
        AlreadyResolved: it was handled or discarded before.
        Conflict: this release has no such consumer.
    """
    letter = await _find_open(session, caller, number)
    subscription = _consumer(subscriptions, letter.consumer)
    try:
        async with session.begin_nested():
            fresh, stale = await apply_once(session, subscription, [decode(letter.body)])
    except Exception as error:
        if problems.is_database_away(error):
            raise
        reason = reason_of(error)
        await store.note_failure(session, number, reason)
        return problems.StillFailing(reason, attempts=letter.attempts + 1)
    effect = "duplicate" if not fresh else "stale" if stale else "applied"
    return RequeuedOut.of(await store.resolve(session, number, Outcome.HANDLED, caller), effect=effect)


async def discard(session: AsyncSession, caller: Caller, number: int, reason: str) -> DeadLetterOut:
    """Give an event up, with a reason that stays on record.

    Raises:
        DeadLetterUnknown: not there or not visible.
        AlreadyResolved: it was handled or discarded before.
    """
    await _find_open(session, caller, number)
    return DeadLetterOut.of(await store.resolve(session, number, Outcome.DISCARDED, caller, reason))


async def _find_open(session: AsyncSession, caller: Caller, number: int) -> Any:
    """The row is held until the transaction ends, so of two who resolve it the second sees that it is resolved."""
    letter = await store.find(session, caller, number, lock=True)
    if letter.outcome is not None:
        raise problems.AlreadyResolved(f"dead letter {number} was {letter.outcome} at {letter.resolved_at.isoformat()}")
    return letter


def _consumer(subscriptions: Sequence[Subscription], durable: str) -> Subscription:
    for subscription in subscriptions:
        if subscription.durable == durable:
            return subscription
    raise problems.Conflict(f"this release has no consumer {durable} that could handle it")
