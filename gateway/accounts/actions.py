"""What can be done to accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.regions import common_region
from gateway.accounts import rules, store, throttle
from gateway.accounts.passwords import Passwords
from gateway.accounts.schemas import AccountChange, AccountIn, AccountStatus, PasswordByCodeIn, status_of
from gateway.accounts.tables import Account
from gateway.callers.schemas import GrantIn
from gateway.metrics import SIGN_INS
from gateway.repeatable import Repeatable
from gateway.sessions import store as sessions
from kit import clock, problems
from kit.access import Caller, Grant, Principal, Role
from kit.database import Database
from kit.etags import require_match
from kit.ids import uuid7

CODE_LIFE = timedelta(hours=72)


@dataclass(frozen=True)
class Invited:
    """An account and, the first time only, the code that its owner needs."""

    account: Account
    code: str | None


async def open_account(session: AsyncSession, caller: Caller, draft: AccountIn, once: Repeatable | None) -> Invited:
    """Open an account; the same request again answers it without its code.

    Raises:
        RegionForbidden: a grant would reach beyond the caller's region.
        LoginTaken: another account has the login.
        KeyReused: the Idempotency-Key was used for another request.
    """
    _check_region(caller, draft.grants)
    code = rules.new_code()
    row = _new_row(caller.id, draft, code, once)
    if await store.insert_once(session, row):
        return Invited(Account(**row), code)
    replayed = await store.find_replayed(session, caller.id, once.key) if once else None
    if once is None or replayed is None:
        raise problems.LoginTaken
    once.require_same(replayed.request_digest)
    return Invited(replayed, None)


async def change_account(
    session: AsyncSession, caller: Caller, account_id: UUID, change: AccountChange, if_match: str | None
) -> Account:
    """Change an account. Less rights, other rights and none at all count at once, also for sessions that are open.

    Raises:
        AccountUnknown: there is none in the caller's region.
        PreconditionRequired, Stale: it was not read, or has changed since.
        RegionForbidden: a grant would reach beyond the caller's region.
    """
    account = await store.find(session, caller, account_id, lock=True)
    require_match(if_match, account.version)
    account.name, account.office = change.name or account.name, change.office or account.office
    if change.grants is not None:
        _check_region(caller, change.grants)
        account.grants, account.region = _kept(change.grants), common_region(one.region for one in change.grants)
    if change.disabled is not None:
        now = clock.now()
        account.disabled_at = (account.disabled_at or now) if change.disabled else None
        account.disabled_by = (account.disabled_by or caller.id) if change.disabled else None
    if account.disabled_at is not None:
        await sessions.end_all(session, account.id, clock.now())
    account.version += 1
    session.add(account)
    await sessions.tell_others(session, account.id)
    return account


async def reset_password(session: AsyncSession, caller: Caller, account_id: UUID) -> Invited:
    """Take the password away, end all sessions, and give a new one-time code: the only way in from now on.

    Raises:
        AccountUnknown: there is none in the caller's region.
    """
    account = await store.find(session, caller, account_id, lock=True)
    code = rules.new_code()
    account.password_hash = None
    account.code_hash, account.code_expires_at = rules.code_digest(code), clock.now() + CODE_LIFE
    account.version += 1
    session.add(account)
    await end_sessions(session, account)
    return Invited(account, code)


async def end_sessions(session: AsyncSession, account: Account) -> None:
    """End all sessions of an account, in every gateway process."""
    await sessions.end_all(session, account.id, clock.now())
    await sessions.tell_others(session, account.id)


async def set_password_by_code(
    database: Database, passwords: Passwords, given: PasswordByCodeIn, address: str
) -> Account:
    """Set a password with a one-time code; the code is used up by it. Gives the account.

    Raises:
        TooMany: too many attempts.
        SignInRefused: no such account, no such code, or an old one; which of them is not said.
        Invalid: the password is not good enough; the code stays good.
    """
    login = given.login.strip().lower()
    _check_password(given.password, login)
    async with database.for_request() as session:
        await throttle.claim(session, login, address)
    # made before the code is looked at: an answer takes as long whether there is such an account or not
    made = await passwords.hash(given.password)
    async with database.for_request() as session:
        # locked by the query that reads it: of two requests with one code the second must see it used up
        account = await store.by_login(session, login, lock=True)
        if account is None or not _code_fits(account, given.code):
            SIGN_INS.labels("refused").inc()
            raise problems.SignInRefused("login or code is not right, or the code is older than 72 hours")
        account.password_hash, account.code_hash, account.code_expires_at = made, None, None
        account.version += 1
        session.add(account)
        await throttle.clear(session, login, address)
        await end_sessions(session, account)
    SIGN_INS.labels("ok").inc()
    return account


async def change_password(
    database: Database, passwords: Passwords, account_id: UUID, current: str, password: str, address: str
) -> None:
    """Change one's own password, which ends all sessions: whoever else had the old one is out.

    Raises:
        TooMany, SignInRefused: the present password is not right.
        Invalid: the new one is not good enough.
    """
    async with database.for_request() as session:
        account = await store.load(session, account_id)
        assert account is not None, "accounts are never deleted"
        _check_password(password, account.login)
        await throttle.claim(session, account.login, address)
    if not await passwords.fits(current, account.password_hash):
        SIGN_INS.labels("refused").inc()
        raise problems.SignInRefused("the present password is not right")
    made = await passwords.hash(password)
    async with database.for_request() as session:
        locked = await store.load(session, account_id, lock=True)
        if locked is None or locked.password_hash != account.password_hash or not can_sign_in(locked):
            raise problems.SignInRefused("the account has changed meanwhile")
        locked.password_hash = made
        locked.version += 1
        session.add(locked)
        await throttle.clear(session, locked.login, address)
        await end_sessions(session, locked)
    SIGN_INS.labels("ok").inc()


def principal_of(account: Account) -> Principal:
    """Who an account is, with what was granted to it."""
    grants = tuple(Grant(Role(grant["role"]), grant["region"]) for grant in account.grants)
    return Principal(f"account:{account.id}", account.name, grants)


def can_sign_in(account: Account) -> bool:
    """Whether a password of the account opens the door."""
    return status_of(account) is AccountStatus.ACTIVE


def _code_fits(account: Account, code: str) -> bool:
    if account.code_hash is None or account.code_expires_at is None or account.disabled_at is not None:
        return False
    return rules.fits(code, account.code_hash) and account.code_expires_at > clock.now()


def _check_password(password: str, login: str) -> None:
    weakness = rules.weakness(password, login)
    if weakness is not None:
        raise problems.Invalid(weakness, errors=[{"pointer": "#/password", "detail": weakness}])


def _check_region(caller: Caller, grants: Sequence[GrantIn]) -> None:
    for grant in grants:
        if grant.region is None and caller.region is not None:
            raise problems.RegionForbidden(f"a grant for the whole country is beyond your region {caller.region}")
        caller.narrow(grant.region)


def _kept(grants: Sequence[GrantIn]) -> list[dict[str, Any]]:
    return [grant.model_dump(mode="json") for grant in grants]


def _new_row(created_by: str, draft: AccountIn, code: str, once: Repeatable | None) -> dict[str, Any]:
    now = clock.now()
    return {
        **draft.model_dump(include={"login", "name", "office"}),
        "grants": _kept(draft.grants),
        "id": uuid7(),
        "region": common_region(grant.region for grant in draft.grants),
        "version": 1,
        "code_hash": rules.code_digest(code),
        "code_expires_at": now + CODE_LIFE,
        "created_at": now,
        "created_by": created_by,
        "idempotency_key": once.key if once else None,
        "request_digest": once.digest if once else None,
    }
