"""Slows those who try passwords: the more attempts in a row, the longer the wait. Never for good.

Attempts count before they are carried out, so that many at once are no way around it; one that succeeds takes its own
back. An account waits a minute at most whoever tries, and ten minutes for one address: a stranger who hammers on
a login slows its owner by no more than that minute. How often one address may try at all is the gateway's limit for
the class sign-in (decision 30).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.accounts import rules
from gateway.accounts.tables import SignInAttempts
from gateway.metrics import SIGN_INS
from kit import clock
from kit.problems import TooMany

_QUIET = timedelta(minutes=30)
"""After so long without an attempt the count begins anew."""
_LONGEST_ACCOUNT, _LONGEST_ADDRESS = 60.0, 600.0
_ACCOUNTS_GRACE = 15
"""Attempts from anywhere on one account before it is slowed, beyond those that any single address has."""


async def claim(session: AsyncSession, login: str, address: str) -> None:
    """Count an attempt before it is made. The transaction must be committed whatever becomes of the attempt.

    Raises:
        TooMany: it comes too early; it is not counted.
    """
    # in one order everywhere, so that two attempts never wait for each other
    for subject, grace, longest in _subjects(login, address):
        await _claim(session, subject, grace, longest)


async def clear(session: AsyncSession, login: str, address: str) -> None:
    """Forget the attempts on an account that turned out to be its owner's."""
    for subject, _, _ in _subjects(login, address):
        await session.execute(sa.delete(SignInAttempts).where(col(SignInAttempts.subject) == subject))


async def sweep(session: AsyncSession, now: datetime) -> None:
    """Forget what has been quiet for long."""
    await session.execute(sa.delete(SignInAttempts).where(col(SignInAttempts.last_at) < now - _QUIET))


def _subjects(login: str, address: str) -> list[tuple[bytes, int, float]]:
    both = rules.attempt_subject("address", login, address)
    return [(both, 0, _LONGEST_ADDRESS), (rules.attempt_subject("account", login), _ACCOUNTS_GRACE, _LONGEST_ACCOUNT)]


async def _claim(session: AsyncSession, subject: bytes, grace: int, longest: float) -> None:
    # the row is there and locked after this, whoever came first
    now = clock.now()
    first = {"subject": subject, "attempts": 1, "last_at": now, "next_at": now}
    statement = insert(SignInAttempts).values(first).on_conflict_do_nothing().returning(col(SignInAttempts.attempts))
    if (await session.execute(statement)).scalar() is not None:
        return
    query = sa.select(SignInAttempts).where(col(SignInAttempts.subject) == subject).with_for_update()
    row = (await session.scalars(query)).one_or_none()
    if row is None:  # cleared just now by the owner's success
        return
    now = clock.now()  # behind the lock: one that waited for another is no earlier than that
    if row.next_at > now:
        SIGN_INS.labels("throttled").inc()
        seconds = int((row.next_at - now).total_seconds()) + 1
        raise TooMany(f"too many attempts; the next one in {seconds} s", headers={"Retry-After": str(seconds)})
    row.attempts = 1 if row.last_at < now - _QUIET else row.attempts + 1
    row.last_at = now
    row.next_at = now + timedelta(seconds=rules.wait_after(row.attempts - grace, longest))
    session.add(row)
