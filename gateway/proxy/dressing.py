"""Headers that the door adds to every answer, and what browsers of other origins may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.proxy.headers import Headers, first

_ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Of whatever has none of its own: an answer of the API is no page, and nobody frames it."""

_ANY = "*"
_READABLE = (
    "etag, location, link, retry-after, ratelimit, ratelimit-policy, x-request-id, deprecation, sunset, "
    "content-disposition, idempotency-replayed"
)
_SENDABLE = (
    "authorization, x-api-key, content-type, accept-language, if-match, if-none-match, idempotency-key, "
    "x-request-id, traceparent, tracestate"
)
_PREFLIGHT_SECONDS = 600


class DressingLimits(BaseModel):
    """What is told to browsers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hsts_seconds: int = Field(0, ge=0, description="For how long a browser uses https only; 0 says nothing of it")
    origins: tuple[str, ...] = Field((), description="Web origins whose pages may call the API; * for all")


class Dressing:
    """What is added to answers. Never with credentials: cookies are for pages of the gateway's own origin."""

    def __init__(self, limits: DressingLimits) -> None:
        self._hsts = (b"strict-transport-security", b"max-age=%d" % limits.hsts_seconds)
        self._says_hsts = limits.hsts_seconds > 0
        self._origins = frozenset(origin.encode() for origin in limits.origins)

    def headers(self, headers: Headers, scheme: str) -> Headers:
        """Headers for the answer to a request with these headers, that came in by this scheme."""
        added = _ALWAYS
        if self._says_hsts and scheme == "https":  # RFC 6797, 7.2: never over plain http
            added = [*added, self._hsts]
        return added + self._for_origin(headers) if self._origins else added

    def is_preflight(self, method: str, headers: Headers) -> bool:
        """Whether a browser asks what a page of another origin may send (Fetch, 3.2.2)."""
        return (
            method == "OPTIONS"
            and bool(self._origins)
            and first(headers, b"origin") is not None
            and first(headers, b"access-control-request-method") is not None
        )

    def preflight(self, headers: Headers, methods: Collection[str]) -> Headers:
        """The answer's headers; without permission where the origin is not on the list."""
        vary = (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers")
        allowed = self._for_origin(headers)
        if len(allowed) == 1:
            return [*allowed, vary]
        return [
            *allowed,
            vary,
            (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
            (b"access-control-allow-headers", _SENDABLE.encode()),
            (b"access-control-max-age", b"%d" % _PREFLIGHT_SECONDS),
        ]

    def _for_origin(self, headers: Headers) -> Headers:
        vary = (b"vary", b"Origin")
        origin = first(headers, b"origin")
        if origin is None or not (origin in self._origins or _ANY.encode() in self._origins):
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", _ANY.encode() if origin not in self._origins else origin),
            (b"access-control-expose-headers", _READABLE.encode()),
        ]


def dressed(answer: Headers, added: Headers) -> Headers:
    """A service's headers and the door's. Where both speak of the same, the door does; a page's own policy stays."""
    names = {name for name, _ in added if name != b"vary"}
    kept = [(name, value) for name, value in answer if name not in names] if names else list(answer)
    if not any(name == _POLICY[0] for name, _ in kept):
        kept.append(_POLICY)
    return kept + added


def notices_of(declared: Mapping[str, Any]) -> Headers:
    """`Deprecation` (RFC 9745) and `Sunset` (RFC 8594) of an operation, from `deprecated` and its dates.

    `x-deprecated-on` and `x-sunset-on` are days (ISO 8601), `x-deprecation-link` tells what to use instead.

    Raises:
        ValueError: it is deprecated and nothing says since when, or it ends and is not deprecated.
    """
    since, until, link = (declared.get(f"x-{name}") for name in ("deprecated-on", "sunset-on", "deprecation-link"))
    if not declared.get("deprecated"):
        if since or until:
            raise ValueError("only what is deprecated has a day from which it is, or on which it ends")
        return []
    if since is None:
        raise ValueError("what is deprecated says since when: x-deprecated-on")
    notices: Headers = [(b"deprecation", b"@%d" % _midnight(since).timestamp())]
    if until is not None:
        notices.append((b"sunset", format_datetime(_midnight(until), usegmt=True).encode()))
    if link is not None:
        notices.append((b"link", b'<%b>; rel="deprecation"' % str(link).encode()))
    return notices


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)
