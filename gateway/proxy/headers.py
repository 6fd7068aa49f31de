"""Which headers pass the door, in both directions."""

from __future__ import annotations

from collections.abc import Iterable

from kit.access import IDENTITY_HEADER
from kit.observe import request_id_of, traceparent_of
from kit.touched import REGION_HEADER

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""

IDENTITY = IDENTITY_HEADER.encode()
REGION = REGION_HEADER.encode()
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
"""RFC 9110, 7.6.1: meant for one connection, never passed on."""

_OURS = frozenset(
    {
        IDENTITY,
        b"authorization",  # the key ends at the door; services get a signed identity instead
        b"x-api-key",
        b"cookie",  # no operation uses cookies, and a service must not be reachable by one
        b"host",
        b"content-length",  # framing is written anew, so two parsers cannot disagree about it
        b"expect",  # answered at the door
        b"forwarded",
        b"x-real-ip",
        b"x-request-id",
        b"traceparent",
        b"tracestate",
    }
)
"""Request headers that only the gateway sets, or that end here."""

_CONDITIONS = frozenset({b"if-match", b"if-none-match"})
_OUR_PREFIXES = (b"x-forwarded-", b"x-kkb-")
_REQUEST_DROPPED = _HOP_BY_HOP | _OURS
_ANSWER_DROPPED = _HOP_BY_HOP | {b"server", b"x-request-id", b"ratelimit", b"ratelimit-policy", IDENTITY, REGION}
"""The door writes the request id and what is left of a quota itself; what a service runs on is nobody's business, and
which region a request touched is for the audit trail."""


GZIP_TAG = b'-gzip"'
"""How the strong tag of a compressed answer ends; services do not know it."""


def untagged(condition: bytes) -> bytes:
    """If-Match and If-None-Match as the service knows its tags."""
    return condition.replace(GZIP_TAG, b'"')


def first(headers: Headers, name: bytes) -> bytes | None:
    """The value of a header; None when it is absent."""
    for key, value in headers:
        if key == name:
            return value
    return None


def request_id(headers: Headers) -> bytes:
    """The client's X-Request-Id where it is 8-64 of [A-Za-z0-9._-], else a new one."""
    return request_id_of(_text(first(headers, b"x-request-id"))).encode()


def trace(headers: Headers) -> Headers:
    """The client's trace context where it is well-formed, else a new one (tracestate is dropped with a bad parent)."""
    given = [value for key, value in headers if key == b"traceparent"]
    only = given[0] if len(given) == 1 else None
    parent = traceparent_of(_text(only)).encode()
    if parent != only:
        return [(b"traceparent", parent)]
    return [(b"traceparent", parent), *((key, value) for key, value in headers if key == b"tracestate")]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def for_service(headers: Headers) -> Headers:
    """A client's headers without those that end at the door."""
    named = _named_by_connection(headers)
    return [
        (key, untagged(value) if key in _CONDITIONS else value)
        for key, value in headers
        if key not in _REQUEST_DROPPED and not key.startswith(_OUR_PREFIXES) and key not in named
    ]


def for_client(headers: Headers) -> Headers:
    """A service's headers without those meant for the gateway's own connection."""
    named = _named_by_connection(headers)
    return [(key, value) for key, value in headers if key not in _ANSWER_DROPPED and key not in named]


def _named_by_connection(headers: Headers) -> Iterable[bytes]:
    value = first(headers, b"connection")
    if value is None or value == b"keep-alive":
        return ()
    values = [value for key, value in headers if key == b"connection"]
    return {token.strip().lower() for value in values for token in value.split(b",")}
