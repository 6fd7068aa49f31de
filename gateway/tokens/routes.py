"""Endpoints of the tokens room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from gateway.keys import rules as keys
from gateway.keys.keyring import ShownElsewhere
from gateway.metrics import TOKENS_REFUSED
from gateway.proxy.headers import Headers
from gateway.tokens import rules
from gateway.tokens.schemas import AccessToken, TokenIn
from kit.problems import AddressForbidden, ClientRefused, TokenRequestRefused, TooMany, Unauthenticated, problems

router = APIRouter(prefix="/token", tags=["tokens"])

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="kampung-kb"', "Cache-Control": "no-store"}


@router.post(
    "",
    openapi_extra={"security": []},
    responses=problems(TokenRequestRefused, ClientRefused, AddressForbidden, TooMany),
)
async def issue_token(given: Annotated[TokenIn, Form()], request: Request, response: Response) -> AccessToken:
    """Issue an access token for 15 minutes to a system that shows the id and secret of its key (RFC 6749, 4.4).

    They stand in `Authorization: Basic` or in the form. Refusals say `error` as RFC 6749 (5.2) has it, in a problem document.
    """
    state, call = request.app.state, request.scope["call"]
    _check_request(given)
    client = _client(given, call.headers)
    try:
        known = await state.keyring.check(keys.written(client.id, client.secret), call.client)
    except Unauthenticated as refused:
        raise _client_refused(refused.detail) from refused
    except ShownElsewhere as refused:
        call.principal = refused.principal
        raise
    call.principal = known.principal  # the audit trail names who it was, here and where he is refused
    response.headers["Cache-Control"] = "no-store"
    token = state.tokens.issue(known, client.secret)
    return AccessToken(access_token=token, token_type="Bearer", expires_in=rules.LIFE_SECONDS)  # noqa: S106


def _check_request(given: TokenIn) -> None:
    if not given.grant_type:
        raise _refused("invalid_request", "grant_type is missing")
    if given.grant_type != "client_credentials":
        raise _refused("unsupported_grant_type", "grant_type must be client_credentials")
    if given.scope:
        raise _refused("invalid_scope", "a token may do what its key may; for less, ask for a key with less")


def _client(given: TokenIn, headers: Headers) -> rules.Client:
    shown = [value.decode("latin-1") for name, value in headers if name == b"authorization"]
    if len(shown) > 1 or (shown and given.client_secret is not None):
        raise _refused("invalid_request", "id and secret stand in one place only")
    pair = rules.basic(shown[0]) if shown else (given.client_id, given.client_secret)
    if pair is None or pair[0] is None or pair[1] is None:
        raise _client_refused("id and secret of a key are needed, in Authorization: Basic or in the form")
    if given.client_id not in {None, pair[0]}:
        raise _refused("invalid_request", "two different client ids")
    client = rules.client_of(pair[0], pair[1])
    if client is None:
        raise _client_refused("client_id is the id of a key")
    return client


def _refused(error: str, why: str) -> TokenRequestRefused:
    TOKENS_REFUSED.labels("request").inc()
    return TokenRequestRefused(why, headers={"Cache-Control": "no-store"}, error=error, error_description=why)


def _client_refused(why: str | None) -> ClientRefused:
    TOKENS_REFUSED.labels("client").inc()
    return ClientRefused(why, headers=_CHALLENGE, error="invalid_client", error_description=why)
