"""Endpoints of the sessions room."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from gateway.sessions import actions, rules, store
from gateway.sessions.book import SessionBook, session_of
from gateway.sessions.presenting import from_our_own_page, presented_session
from gateway.sessions.schemas import SessionFilters, SessionOut, SignIn
from kit import clock
from kit.access import Principal, Scope, requires_anywhere
from kit.database import Session
from kit.paging import Page, page_of
from kit.problems import CrossOrigin, SessionUnknown, SignInRefused, TooMany, problems

router = APIRouter(prefix="/sessions", tags=["sessions"])

Myself = Annotated[Principal, requires_anywhere(Scope.SELF_READ)]
MyselfActing = Annotated[Principal, requires_anywhere(Scope.SELF_WRITE)]
SessionId = Annotated[UUID, Path(description="Id of the session")]


@router.post(
    "", openapi_extra={"security": []}, responses=problems(SignInRefused, CrossOrigin, TooMany), status_code=200
)
async def sign_in(given: SignIn, request: Request, response: Response) -> SessionOut:
    """Sign in with login and password. The session is in a cookie (HttpOnly, Secure, SameSite=Strict) and nowhere else.

    Each sign-in makes a new session; the one that the browser had before ends.
    """
    state, call = request.app.state, request.scope["call"]
    from_our_own_page(call.headers, silent=True)
    browser = rules.browser_of(request.headers.get("user-agent"))
    visit = actions.Visit(call.client, browser, presented_session(call.headers, state.session_cookie))
    life = timedelta(seconds=state.sessions.limits.longest)
    opened = await actions.sign_in(state.database, state.passwords, given.login, given.password, visit, life)
    call.principal = opened.principal  # the audit trail names who it was
    if opened.ended_of is not None:
        state.sessions.remembered.forget(str(opened.ended_of))
    _set_cookie(response, rules.set_cookie(opened.secret, plain=state.settings.session_plain_http))
    return SessionOut.of(opened.row, opened.row.id)


@router.get("")
async def list_my_sessions(
    _myself: Myself, session: Session, request: Request, filters: Annotated[SessionFilters, Query()]
) -> Page[SessionOut]:
    """List your open sessions, oldest first; empty for who came in otherwise than by signing in here."""
    known = session_of(request)
    if known is None:
        return Page(items=[], next_cursor=None)
    return await page_of_sessions(session, _book(request), known.account_id, known.id, filters)


@router.delete("", status_code=204)
async def end_all_my_sessions(_myself: MyselfActing, session: Session, request: Request, response: Response) -> None:
    """Sign out everywhere."""
    known = session_of(request)
    if known is not None:
        await store.end_all(session, known.account_id, clock.now())
        await _forget(session, request, known.account_id)
        _clear_cookie(request, response)


@router.delete("/current", status_code=204, responses=problems(SessionUnknown))
async def sign_out(_myself: MyselfActing, session: Session, request: Request, response: Response) -> None:
    """Sign out: this session ends and its cookie is taken away."""
    known = session_of(request)
    if known is None:
        raise SessionUnknown("you did not come in by a session")
    await store.end(session, known.account_id, known.id, clock.now())
    await _forget(session, request, known.account_id)
    _clear_cookie(request, response)


@router.delete("/{session_id}", status_code=204, responses=problems(SessionUnknown))
async def end_my_session(session_id: SessionId, _myself: MyselfActing, session: Session, request: Request) -> None:
    """End one of your sessions, such as that on a lost phone."""
    known = session_of(request)
    if known is None or not await store.end(session, known.account_id, session_id, clock.now()):
        raise SessionUnknown
    await _forget(session, request, known.account_id)


async def page_of_sessions(
    session: Session, book: SessionBook, account_id: UUID, current: UUID | None, filters: SessionFilters
) -> Page[SessionOut]:
    """A page of an account's open sessions."""
    found = await store.list_page(session, account_id, filters, book.open_now(clock.now()))
    shown = [SessionOut.of(row, current) for row in found]
    items, cursor = page_of(shown, filters.limit, lambda one: one.id)
    return Page(items=items, next_cursor=cursor)


async def _forget(session: Session, request: Request, account_id: UUID) -> None:
    await store.tell_others(session, account_id)
    _book(request).forget_after_commit(session, account_id)


def _set_cookie(response: Response, cookie: str) -> None:
    response.headers["Set-Cookie"] = cookie
    response.headers["Cache-Control"] = "no-store"


def _clear_cookie(request: Request, response: Response) -> None:
    _set_cookie(response, rules.clear_cookie(plain=request.app.state.settings.session_plain_http))


def _book(request: Request) -> SessionBook:
    book: SessionBook = request.app.state.sessions
    return book
