"""Who calls, and may he: from the request's key to the identity that goes with it."""

from __future__ import annotations

from gateway.keys.keyring import Keyring
from gateway.proxy.forwarding import Call
from gateway.proxy.headers import Headers
from gateway.proxy.routing import Operation
from kit.problems import Unauthenticated


class KeyAdmission:
    """Lets callers in by their API key."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, call: Call, operation: Operation) -> None:
        """Set the call's caller and identity.

        Raises:
            Unauthenticated: no key, several different ones, or one that does not open the door.
            Forbidden: none of his grants allows what the operation needs.
            RegionForbidden: it concerns the whole country, and his grants do not.
        """
        known = await self._keyring.check(presented(call.headers))
        call.caller_id = known.principal.id
        known.principal.allowing(operation.scopes, whole_country=operation.whole_country)
        call.identity = self._keyring.identity(known, operation.service)


def presented(headers: Headers) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`.

    Raises:
        Unauthenticated: there is none, or there are different ones: choosing would be guessing.
    """
    found = {value.strip() for name, value in headers if name == b"x-api-key"}
    for value in (value for name, value in headers if name == b"authorization"):
        scheme, _, credentials = value.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Unauthenticated("Authorization takes the form: Bearer kkb_...")
        found.add(credentials.strip())
    if not found:
        raise Unauthenticated("no key was sent")
    if len(found) > 1:
        raise Unauthenticated("two different keys were sent")
    return found.pop().decode("latin-1")
