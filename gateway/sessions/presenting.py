"""What a request shows of a session, and whether a page of our own sent it."""

from __future__ import annotations

from gateway.proxy.headers import Headers, first
from gateway.sessions.rules import same_origin
from kit.problems import CrossOrigin, Unauthenticated


def presented_session(headers: Headers, cookie: str) -> str | None:
    """What the session's cookie holds; None where there is none.

    Raises:
        Unauthenticated: there are two different ones.
    """
    found = {value for name, held in headers if name == b"cookie" for value in _values(held, cookie.encode())}
    if len(found) > 1:
        raise Unauthenticated("two different sessions were sent")
    return found.pop().decode("latin-1") if found else None


def from_our_own_page(headers: Headers, *, silent: bool = False) -> None:
    """Refuse what another site's page sent in its visitor's name (CSRF).

    Raises:
        CrossOrigin: it did, or nothing says that it did not (unless `silent`).
    """
    fetch_site, origin, host = (_text(first(headers, name)) for name in (b"sec-fetch-site", b"origin", b"host"))
    if not same_origin(fetch_site, origin, host or "", silent=silent):
        raise CrossOrigin("a change with a session's cookie must come from a page of this very address")


def _values(held: bytes, cookie: bytes) -> list[bytes]:
    pairs = (part.strip().partition(b"=") for part in held.split(b";"))
    return [value for name, equals, value in pairs if name == cookie and equals and value]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
