"""The one closed family of problems (RFC 9457) that every endpoint answers errors with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import exc as database_errors
from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
"""What a client is told to wait when a database or another service is away."""


class Problem(Exception):
    """Base of all problems. Subclasses fix status, slug and title; the instance says what happened."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extensions: Any
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions

    def body(self, instance: str | None = None) -> dict[str, Any]:
        """The members of the problem document."""
        members = {
            "type": f"urn:kampungkb:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **self.extensions,
        }
        return {name: value for name, value in members.items() if value is not None}


class InternalProblem(Problem):
    """A defect of ours; the log has the request id."""


class TokenRequestRefused(Problem):
    """RFC 6749, 5.2; its `error` stands in the problem document beside ours."""

    status, slug, title = 400, "token-request-refused", "This is no request for a token"


class BadPath(Problem):
    """An address that two parsers could read differently is refused before anybody reads it."""

    status, slug, title = 400, "bad-path", "The address is not written plainly"


class Malformed(Problem):
    """What two parsers could read differently is not HTTP here."""

    status, slug, title = 400, "malformed", "This is not a plain HTTP/1.1 request"


class HeadTooLarge(Problem):
    status, slug, title = 431, "head-too-large", "The request's headers are larger than allowed"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "Who are you? A valid key or token is needed"


class ClientRefused(Unauthenticated):
    slug, title = "client-refused", "No key of this id and secret opens the door"


class SignInRefused(Unauthenticated):
    slug, title = "sign-in-refused", "This does not let you in"


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "Your role does not allow this operation"


class AddressForbidden(Forbidden):
    slug, title = "address-forbidden", "This key may not be used from your address"


class KeyNeeded(Forbidden):
    slug, title = "key-needed", "Only the key itself may do this"


class GrantsUnclear(Forbidden):
    slug, title = "grants-unclear", "Your grants for this operation are for regions side by side"


class CrossOrigin(Forbidden):
    slug, title = "cross-origin", "Another site's page must not change anything in your name"


class RegionForbidden(Problem):
    status, slug, title = 403, "region-forbidden", "This region is outside yours"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "There is nothing here"


class VillageUnknown(NotFound):
    slug, title = "village-unknown", "No Kampung KB of this id or code is visible to you"


class RegionUnknown(NotFound):
    slug, title = "region-unknown", "The code list has no region of this code"


class ImportUnknown(NotFound):
    slug, title = "import-unknown", "No import of this id is visible to you"


class KeyUnknown(NotFound):
    slug, title = "key-unknown", "No key of this id is visible to you"


class WebhookUnknown(NotFound):
    slug, title = "webhook-unknown", "No webhook of this id is visible to you"


class DeliveryUnknown(NotFound):
    slug, title = "delivery-unknown", "No delivery of this id is in the webhook's log"


class AccountUnknown(NotFound):
    slug, title = "account-unknown", "No account of this id is visible to you"


class SessionUnknown(NotFound):
    slug, title = "session-unknown", "You have no such session"


class RulesetUnknown(NotFound):
    slug, title = "ruleset-unknown", "There is no ruleset of this id"


class DeterminationUnknown(NotFound):
    slug, title = "determination-unknown", "No determination of this id is visible to you"


class DeadLetterUnknown(NotFound):
    slug, title = "dead-letter-unknown", "No dead letter of this id is visible to you"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "This address does not know the method"


class RequestTimeout(Problem):
    status, slug, title = 408, "request-timeout", "The request did not arrive in time"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "This contradicts what is already recorded"


class LoginTaken(Conflict):
    slug, title = "login-taken", "Another account has this login"


class AlreadyResolved(Conflict):
    slug, title = "already-resolved", "This dead letter was handled or discarded before"


class StillFailing(Conflict):
    slug, title = "still-failing", "The event still cannot be handled"


class RulesetImmutable(Conflict):
    slug, title = "ruleset-immutable", "A published ruleset never changes; make a new one with an id of its own"


class RulesetPublishedBefore(Conflict):
    slug, title = "ruleset-published-before", "This ruleset was published before"


class RulesetNotPublished(Conflict):
    slug, title = "ruleset-not-published", "Only a published ruleset can be put in force or retired"


class RulesetInForce(Conflict):
    slug, title = "ruleset-in-force", "This ruleset is in force, or will be: put another one in force first"


class AlreadyDetermined(Conflict):
    slug, title = "already-determined", "The region's classes were determined for this period before"


class AlreadyReplaced(Conflict):
    slug, title = "already-replaced", "This determination was replaced before"


class FeedReset(Problem):
    status, slug, title = 410, "feed-reset", "This feed has begun anew: start again without `since`"


class Stale(Problem):
    status, slug, title = 412, "stale", "The thing has changed since you read it"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "The request is larger than allowed"


class UnsupportedMediaType(Problem):
    status, slug, title = 415, "unsupported-media-type", "The request is in a format this address does not read"


class Invalid(Problem):
    status, slug, title = 422, "invalid", "The request does not fit the contract"


class PeriodOpen(Invalid):
    slug, title = "period-open", "This period is not over yet"


class RulesetNotUsable(Invalid):
    slug, title = "ruleset-not-usable", "Nothing can be determined under this ruleset for this period"


class KeyReused(Problem):
    status, slug, title = 422, "idempotency-key-reused", "This Idempotency-Key was used for a different request"


class PreconditionRequired(Problem):
    status, slug, title = 428, "precondition-required", "Changing this needs If-Match with the ETag you read"


class TooMany(Problem):
    status, slug, title = 429, "too-many-requests", "Too many requests"


class BadUpstream(Problem):
    status, slug, title = 502, "bad-upstream", "A service behind the gateway answered nonsense"


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "Not available just now; try again"


class UpstreamTimeout(Problem):
    status, slug, title = 504, "upstream-timeout", "A service behind the gateway did not answer in time"


class FieldError(BaseModel):
    """One thing that does not fit."""

    pointer: str = Field(description="JSON pointer into the body (#/a/b), or the parameter's place and name")
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:kampungkb:problem:village-unknown"])
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: list[FieldError] | None = Field(None, description="Only with 422: every field that does not fit")


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint: what it can answer besides success, with an example of each kind by its slug."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        known = responses.get(kind.status)
        examples = known["content"][MEDIA_TYPE]["examples"] if known else {}
        responses[kind.status] = {
            "description": f"{known['description']}; or: {kind.title}" if known else kind.title,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "examples": {**examples, kind.slug: {"summary": kind.title, "value": kind().body()}},
                }
            },
        }
    return responses


ALWAYS: dict[int | str, dict[str, Any]] = problems(Unauthenticated, Forbidden, Invalid, InternalProblem, Unavailable)
"""What every protected operation can answer."""


def problem_response(problem: Problem, instance: str | None = None) -> JSONResponse:
    """A problem as an HTTP response."""
    headers = dict(problem.headers)
    if isinstance(problem, Unavailable | TooMany):
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    if isinstance(problem, Unauthenticated):
        headers.setdefault("WWW-Authenticate", 'Bearer realm="kampung-kb"')
    return JSONResponse(problem.body(instance), problem.status, headers=headers, media_type=MEDIA_TYPE)


_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind for kind in (NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType)
}


def _pointer(location: tuple[Any, ...]) -> str:
    place, *rest = location
    path = "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in rest)
    return f"#/{path}" if place == "body" else f"{place}:{path}"


def invalid_from(errors: list[dict[str, Any]]) -> Invalid:
    """One 422 problem out of pydantic's errors: a pointer and a sentence each, never the value (it may be personal)."""
    fields = [{"pointer": _pointer(tuple(e["loc"])), "detail": _sentence(e)} for e in errors]
    return Invalid("; ".join(f"{f['pointer']}: {f['detail']}" for f in fields[:3]), errors=fields)


def _sentence(error: dict[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


async def _on_problem(request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return problem_response(problem, request.url.path)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problem_response(invalid_from(list(error.errors())), request.url.path)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = Invalid if error.status_code < 500 else InternalProblem  # noqa: PLR2004 - HTTP's own boundary
    return problem_response(kind(headers=error.headers), request.url.path)


async def _on_unavailable(request: Request, error: Exception) -> JSONResponse:
    log.warning("answered 503", exc_info=error)
    return problem_response(Unavailable("the database does not answer"), request.url.path)


DATABASE_AWAY: tuple[type[Exception], ...] = (
    database_errors.InterfaceError,
    database_errors.OperationalError,
    database_errors.TimeoutError,
    # not wrapped by SQLAlchemy where it breaks off while a new connection is being set up
    asyncpg.InterfaceError,
    # nor where the connection is lost while a statement is being sent
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""How an absent, restarting or overloaded database shows itself through SQLAlchemy and asyncpg."""


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _on_unavailable)
    for kind in _DATABASE_ERRORS:
        app.add_exception_handler(kind, _on_database_error)
    app.add_exception_handler(Exception, _on_defect)


async def _on_defect(request: Request, _error: Exception) -> JSONResponse:
    # it is logged with its trace by what wraps the app; the client learns nothing of our insides
    return problem_response(InternalProblem(), request.url.path)


async def _on_database_error(request: Request, error: Exception) -> JSONResponse:
    if _sqlstate(error) == _UNSTORABLE_CHARACTER:
        return problem_response(Invalid("a text has a character that cannot be stored (NUL)"), request.url.path)
    if not is_database_away(error):
        raise error
    return await _on_unavailable(request, error)


_DATABASE_ERRORS = (database_errors.DBAPIError, asyncpg.PostgresError)
"""What PostgreSQL says, through SQLAlchemy; without it while a new connection is being set up."""

_UNSTORABLE_CHARACTER = "22021"
"""SQLSTATE of text that PostgreSQL cannot hold, such as NUL."""

_QUERY_CANCELLED = "57014"
"""SQLSTATE of a statement that took longer than statement_timeout."""
_AWAY_STATES = ("08", "53", "57P", _QUERY_CANCELLED, "25P03")
"""SQLSTATE classes: connection exception, insufficient resources, operator intervention (shutdown, starting up); and the
server's own limits: a statement that took too long, a transaction that was silent for too long."""


CONNECTION_LOST: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""How it shows itself to those who hold a connection of their own and begin anew whatever ended it."""


def is_database_away(error: BaseException) -> bool:
    """Whether an error means that the database is away rather than that a statement was wrong."""
    if isinstance(error, DATABASE_AWAY):
        return True
    if not isinstance(error, _DATABASE_ERRORS):
        return False
    return bool(getattr(error, "connection_invalidated", False)) or _sqlstate(error).startswith(_AWAY_STATES)


def took_too_long(error: BaseException) -> bool:
    """Whether a statement was given up for its time, by us or by the server, and not for want of a connection."""
    return isinstance(error, TimeoutError) or _sqlstate(error) == _QUERY_CANCELLED


def _sqlstate(error: BaseException) -> str:
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")
