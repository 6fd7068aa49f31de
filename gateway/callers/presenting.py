"""What somebody came with: until when it is good, and the key that it is."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import Request

from gateway.admission import Credential, presented
from gateway.callers.schemas import MyKey
from gateway.keys import rules
from gateway.keys.keyring import Known
from gateway.keys.rules import Presented, Secret
from gateway.oidc.verification import Verified
from gateway.sessions.book import KnownSession
from kit.problems import KeyNeeded


def require_key(request: Request) -> Presented:
    """The key that the caller shows.

    Raises:
        KeyNeeded: he came in otherwise, with a token of that key perhaps: what lives for minutes must not become what
            lives for years.
    """
    shown = _presented_key(request)
    if shown is None:
        raise KeyNeeded(
            "show the key itself, in Authorization: Bearer or X-API-Key; a token or a session is not enough"
        )
    return shown


def own_key(request: Request, now: datetime) -> MyKey | None:
    """The key that the caller shows, as it stands; None where he came in otherwise."""
    shown, known = _presented_key(request), request.scope["call"].admitted
    if shown is None or not isinstance(known, Known):
        return None
    secret = rules.which(shown.secret, known.key.secret_hash, known.old_secret, now)
    stands = known.key.model_dump(include=set(MyKey.model_fields))
    return MyKey(superseded=secret is Secret.OLD, **stands)


def ends_at(request: Request, key: MyKey | None) -> datetime | None:
    """When what the caller shows ends by itself; None: it does not. `key` is what he came with, if it is one."""
    match request.scope["call"].admitted:
        case KnownSession(expires_at=expires):
            return expires
        case Verified(expires=expires):
            return datetime.fromtimestamp(expires, UTC)
        case Known(key=row) if key is None:
            _, token = presented(request.scope["call"].headers, request.app.state.session_cookie)
            return _first(row.expires_at, datetime.fromtimestamp(request.app.state.tokens.expiry(token), UTC))
    assert key is not None, "there are no other ways in"
    return _first(key.expires_at, key.old_secret_until if key.superseded else None)


def _first(*ends: datetime | None) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)


def _presented_key(request: Request) -> Presented | None:
    credential, text = presented(request.scope["call"].headers, request.app.state.session_cookie)
    return rules.parse(text) if credential is Credential.KEY else None
