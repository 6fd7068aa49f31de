"""Endpoints of the accounts room."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from gateway.accounts import actions, store
from gateway.accounts.schemas import (
    AccountChange,
    AccountFilters,
    AccountIn,
    AccountInvited,
    AccountOut,
    PasswordByCodeIn,
    PasswordChange,
)
from gateway.repeatable import OnlyOnce, mark_replayed
from gateway.sessions.book import SessionBook, session_of
from gateway.sessions.presenting import from_our_own_page
from gateway.sessions.routes import page_of_sessions
from gateway.sessions.schemas import SessionFilters, SessionOut
from kit.access import Caller, Principal, Scope, requires, requires_anywhere
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.paging import Page, page_of
from kit.problems import (
    AccountUnknown,
    Conflict,
    CrossOrigin,
    KeyReused,
    LoginTaken,
    PreconditionRequired,
    RegionForbidden,
    SignInRefused,
    Stale,
    TooMany,
    problems,
)

router = APIRouter(tags=["accounts"])

AccountManager = Annotated[Caller, requires(Scope.ACCOUNTS_MANAGE)]
MyselfActing = Annotated[Principal, requires_anywhere(Scope.SELF_WRITE)]
AccountId = Annotated[UUID, Path(description="Id of the account")]


@router.post("/accounts", status_code=201, responses=problems(RegionForbidden, LoginTaken, KeyReused))
async def open_account(
    draft: AccountIn,
    manager: AccountManager,
    session: Session,
    response: Response,
    once: OnlyOnce,
) -> AccountInvited:
    """Open an account. Its one-time code is in this answer and nowhere else: hand it over yourself."""
    invited = await actions.open_account(session, manager, draft, once)
    response.headers["Location"] = f"/api/v1/accounts/{invited.account.id}"
    if invited.code is None:
        mark_replayed(response)
    return _invited(invited, response)


@router.get("/accounts")
async def list_accounts(
    manager: AccountManager, session: Session, filters: Annotated[AccountFilters, Query()]
) -> Page[AccountOut]:
    """List the accounts whose grants all lie in your region, oldest first."""
    found = await store.list_page(session, manager, filters)
    items, cursor = page_of([AccountOut.of(account) for account in found], filters.limit, lambda one: one.id)
    return Page(items=items, next_cursor=cursor)


@router.get("/accounts/{account}", responses=problems(AccountUnknown))
async def get_account(account: AccountId, manager: AccountManager, session: Session, response: Response) -> AccountOut:
    """One account, with the ETag that changing it needs."""
    found = await store.find(session, manager, account)
    response.headers["ETag"] = etag(found.version)
    return AccountOut.of(found)


@router.patch("/accounts/{account}", responses=problems(AccountUnknown, RegionForbidden, PreconditionRequired, Stale))
async def change_account(
    account: AccountId,
    change: AccountChange,
    manager: AccountManager,
    session: Session,
    request: Request,
    response: Response,
    if_match: IfMatch = None,
) -> AccountOut:
    """Change name, office or grants, disable an account or enable it again. It counts at once, in open sessions too."""
    changed = await actions.change_account(session, manager, account, change, if_match)
    _book(request).forget_after_commit(session, account)
    response.headers["ETag"] = etag(changed.version)
    return AccountOut.of(changed)


@router.post("/accounts/{account}/code", responses=problems(AccountUnknown))
async def reset_password(
    account: AccountId, manager: AccountManager, session: Session, request: Request, response: Response
) -> AccountInvited:
    """Give an account a new one-time code. Its password is gone and its sessions end at once; an older code is void."""
    invited = await actions.reset_password(session, manager, account)
    _book(request).forget_after_commit(session, account)
    return _invited(invited, response)


@router.get("/accounts/{account}/sessions", responses=problems(AccountUnknown))
async def list_sessions_of_account(
    account: AccountId,
    manager: AccountManager,
    session: Session,
    request: Request,
    filters: Annotated[SessionFilters, Query()],
) -> Page[SessionOut]:
    """List an account's open sessions, oldest first."""
    await store.find(session, manager, account)
    return await page_of_sessions(session, _book(request), account, None, filters)


@router.delete("/accounts/{account}/sessions", status_code=204, responses=problems(AccountUnknown))
async def end_sessions_of_account(
    account: AccountId, manager: AccountManager, session: Session, request: Request
) -> None:
    """End all sessions of an account: at once here, within moments wherever else the gateway runs."""
    found = await store.find(session, manager, account, lock=True)
    await actions.end_sessions(session, found)
    _book(request).forget_after_commit(session, account)


@router.post(
    "/passwords",
    status_code=204,
    openapi_extra={"security": []},
    responses=problems(SignInRefused, CrossOrigin, TooMany),
)
async def set_password_by_code(given: PasswordByCodeIn, request: Request) -> None:
    """Set the password of an account with its one-time code; then sign in. The code is used up, open sessions end."""
    state, call = request.app.state, request.scope["call"]
    from_our_own_page(call.headers, silent=True)
    account = await actions.set_password_by_code(state.database, state.passwords, given, call.client)
    call.principal = actions.principal_of(account)  # the audit trail names who it was
    _book(request).remembered.forget(str(account.id))


@router.put("/me/password", status_code=204, responses=problems(SignInRefused, Conflict, TooMany))
async def change_my_password(given: PasswordChange, _myself: MyselfActing, request: Request) -> None:
    """Change your own password. All your sessions end, this one too: sign in again with the new one."""
    state, known = request.app.state, session_of(request)
    if known is None:
        raise Conflict("you did not sign in with a password of this platform")
    address = request.scope["call"].client
    account_id = known.account_id
    await actions.change_password(state.database, state.passwords, account_id, given.current, given.password, address)
    _book(request).remembered.forget(str(account_id))


def _invited(invited: actions.Invited, response: Response) -> AccountInvited:
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = etag(invited.account.version)
    return AccountInvited(code=invited.code, **AccountOut.of(invited.account).model_dump())


def _book(request: Request) -> SessionBook:
    book: SessionBook = request.app.state.sessions
    return book
