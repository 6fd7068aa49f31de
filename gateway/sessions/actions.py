"""Signing in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import store as accounts
from gateway.accounts import throttle
from gateway.accounts.actions import can_sign_in, principal_of
from gateway.accounts.passwords import Passwords
from gateway.accounts.tables import Account
from gateway.metrics import SIGN_INS
from gateway.sessions import rules, store
from gateway.sessions.tables import SignedIn
from kit import clock, problems
from kit.access import Principal
from kit.database import Database
from kit.ids import uuid7


@dataclass(frozen=True)
class Visit:
    """Where somebody signs in from."""

    address: str
    browser: str
    before: str | None
    """What his session cookie holds already."""


@dataclass(frozen=True)
class Opened:
    """A session, and what its cookie holds."""

    row: SignedIn
    secret: str
    principal: Principal
    ended_of: UUID | None
    """Account whose session the same browser had before."""


async def sign_in(
    database: Database, passwords: Passwords, login: str, password: str, visit: Visit, life: timedelta
) -> Opened:
    """Open a session for who knows the password of an account.

    Whatever is wrong, the answer is the same and takes as long: one query and one check of a password.

    Raises:
        TooMany: too many attempts on the account, or on it from this address.
        SignInRefused: no such account, a wrong password, no password yet, or a disabled account.
        Unavailable: too many others sign in just now.
    """
    login = login.strip().lower()
    async with database.for_request() as session:
        await throttle.claim(session, login, visit.address)
    async with database.for_request() as session:
        account = await accounts.by_login(session, login)
    usable = account is not None and can_sign_in(account)
    right = await passwords.fits(password, account.password_hash if account is not None and usable else None)
    if account is None or not right:
        SIGN_INS.labels("refused").inc()
        raise problems.SignInRefused("login or password is not right")
    renewed = await _renewed(passwords, account, password)
    async with database.for_request() as session:
        opened = await _open(session, account, renewed, visit, life)
        await throttle.clear(session, login, visit.address)
    SIGN_INS.labels("ok").inc()
    return opened


async def _renewed(passwords: Passwords, account: Account, password: str) -> str | None:
    """The hash with today's parameters, where it was made with others."""
    assert account.password_hash is not None
    return await passwords.hash(password) if passwords.is_outdated(account.password_hash) else None


async def _open(session: AsyncSession, known: Account, renewed: str | None, visit: Visit, life: timedelta) -> Opened:
    account = await accounts.load(session, known.id, lock=True)
    if account is None or not can_sign_in(account) or account.password_hash != known.password_hash:
        SIGN_INS.labels("refused").inc()
        raise problems.SignInRefused("login or password is not right")  # changed while the password was checked
    now = clock.now()
    account.password_hash = renewed or account.password_hash
    account.last_signed_in_at = clock.hour_of(now)
    session.add(account)
    ended_of = None if visit.before is None else await store.end_by_secret(session, rules.digest(visit.before), now)
    if ended_of is not None:
        await store.tell_others(session, ended_of)
    secret = rules.new_secret()
    row = SignedIn(
        id=uuid7(),
        account_id=account.id,
        secret_hash=rules.digest(secret),
        browser=visit.browser,
        created_at=now,
        last_used_at=now,
        expires_at=now + life,
        ended_at=None,
    )
    session.add(row)
    return Opened(row, secret, principal_of(account), ended_of)
