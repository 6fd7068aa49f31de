"""Who calls, and may he: from what a request shows to the identity that goes with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from gateway.identities import Admitted, Identities
from gateway.proxy.forwarding import Call
from gateway.proxy.headers import Headers
from gateway.proxy.routing import Operation
from kit.problems import Unauthenticated

_KEY = b"kkb_"


class Credential(StrEnum):
    """What a caller shows."""

    KEY = "key"
    OIDC = "oidc"
    """A token of an identity provider that is trusted here."""


Check = Callable[[str, str], Awaitable[Admitted]]
"""From a credential, and the address where it is shown, to whom it lets in; raises Unauthenticated where it does not."""


class Admission:
    """Lets callers in by what they show."""

    def __init__(self, checks: Mapping[Credential, Check], identities: Identities) -> None:
        self._checks = checks
        self._identities = identities

    async def __call__(self, call: Call, operation: Operation) -> None:
        """Set the call's caller, what he came with, and his identity.

        Raises:
            Unauthenticated: no credential, several different ones, or one that does not open the door.
            AddressForbidden: it may not be used from where he is.
            Forbidden: none of his grants allows what the operation needs.
            RegionForbidden: it concerns the whole country, and his grants do not.
            Unavailable: the credential cannot be checked just now.
        """
        credential, text = presented(call.headers)
        check = self._checks.get(credential)
        if check is None:
            raise Unauthenticated("this is not a key")
        admitted = await check(text, call.client)
        call.caller_id, call.principal = admitted.principal.id, admitted.principal
        call.credential = credential
        admitted.principal.allowing(operation.scopes, whole_country=operation.whole_country)
        call.identity = self._identities.of(admitted, operation.service)


def presented(headers: Headers) -> tuple[Credential, str]:
    """What the request shows: in `Authorization: Bearer` or `X-API-Key`.

    Raises:
        Unauthenticated: there is nothing, or there are different things: choosing would be guessing.
    """
    found = set()
    for name, value in headers:
        if name == b"authorization":
            found.add(_bearer(value))
        elif name == b"x-api-key":
            found.add((Credential.KEY, value.strip()))
    if not found:
        raise Unauthenticated("no key was sent")
    if len(found) > 1:
        raise Unauthenticated("two different keys were sent")
    credential, text = found.pop()
    return credential, text.decode("latin-1")


def _bearer(value: bytes) -> tuple[Credential, bytes]:
    scheme, _, text = value.partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated("Authorization takes the form: Bearer kkb_...")
    text = text.strip()
    return Credential.KEY if text.startswith(_KEY) else Credential.OIDC, text
