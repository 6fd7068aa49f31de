"""Who calls, and may he: from what a request shows to the identity that goes with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from gateway.identities import Admitted, Identities
from gateway.keys.keyring import ShownElsewhere
from gateway.proxy.calls import Call
from gateway.proxy.headers import Headers
from gateway.proxy.routing import Operation
from gateway.sessions.presenting import from_our_own_page, presented_session
from gateway.sessions.rules import SAFE_METHODS
from gateway.tokens.rules import PREFIX
from kit.problems import Unauthenticated

_SHOWING = frozenset({b"authorization", b"x-api-key", b"cookie"})
_KEY, _TOKEN = b"kkb_", PREFIX.encode()


class Credential(StrEnum):
    """What a caller shows."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105 - its kind
    """A short-lived token that was issued here for a key."""
    SESSION = "session"
    """The cookie of somebody who signed in here with a password."""
    OIDC = "oidc"
    """A token of an identity provider that is trusted here."""


Check = Callable[[str, str], Awaitable[Admitted]]
"""From a credential, and the address where it is shown, to whom it lets in; raises Unauthenticated where it does not."""


class Admission:
    """Lets callers in by what they show."""

    def __init__(self, checks: Mapping[Credential, Check], identities: Identities, cookie: str) -> None:
        """`cookie` is the name of the cookie that holds a session."""
        self._checks = checks
        self._cookie = cookie
        self._identities = identities

    async def __call__(self, call: Call, operation: Operation) -> None:
        """Set the call's caller, what he came with, and his identity.

        Raises:
            Unauthenticated: no credential, several different ones, or one that does not open the door.
            AddressForbidden: it may not be used from where he is.
            CrossOrigin: a session's cookie came with a change that no page of our own sent.
            Forbidden: none of his grants allows what the operation needs.
            RegionForbidden: it concerns the whole country, and his grants do not.
            Unavailable: the credential cannot be checked just now.
        """
        credential, text = presented(call.headers, self._cookie)
        check = self._checks.get(credential)
        if check is None:
            raise Unauthenticated("this is not a key")
        if credential is Credential.SESSION and operation.method not in SAFE_METHODS:
            from_our_own_page(call.headers)
        try:
            admitted = await check(text, call.client)
        except ShownElsewhere as refused:
            call.principal = refused.principal  # the audit trail names whose key it is
            raise
        call.admitted = admitted
        call.caller_id, call.principal = admitted.principal.id, admitted.principal
        call.credential = credential
        admitted.principal.allowing(operation.scopes, whole_country=operation.whole_country)
        call.identity = self._identities.of(admitted, operation.service)


def presented(headers: Headers, cookie: str) -> tuple[Credential, str]:
    """What the request shows: in `Authorization: Bearer`, `X-API-Key` or the session's cookie.

    Raises:
        Unauthenticated: there is nothing, or there are different things: choosing would be guessing.
    """
    found: tuple[Credential, bytes] | None = None
    for name, value in headers:
        shown = _shown(name, value, cookie) if name in _SHOWING else None
        if shown is None or shown == found:
            continue
        if found is not None:
            raise Unauthenticated("two different credentials were sent")
        found = shown
    if found is None:
        raise Unauthenticated("no key, token or session was sent")
    return found[0], found[1].decode("latin-1")


def _shown(name: bytes, value: bytes, cookie: str) -> tuple[Credential, bytes] | None:
    if name == b"authorization":
        return _bearer(value)
    if name == b"x-api-key":
        return Credential.KEY, value.strip()
    session = presented_session([(name, value)], cookie)
    return None if session is None else (Credential.SESSION, session.encode("latin-1"))


def _bearer(value: bytes) -> tuple[Credential, bytes]:
    scheme, _, text = value.partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated("Authorization takes the form: Bearer kkb_...")
    text = text.strip()
    if text.startswith(_KEY):
        return Credential.KEY, text
    return Credential.TOKEN if text.startswith(_TOKEN) else Credential.OIDC, text
