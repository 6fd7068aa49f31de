"""gzip for answers that shrink by it and clients that read it."""

from __future__ import annotations

import re
import zlib

from gateway.proxy.headers import GZIP_TAG, Headers, first

_COMPRESSIBLE = re.compile(rb"(?:text/|application/(?:[a-z.+-]+\+)?(?:json|xml)\b)", re.IGNORECASE)
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 1
"""Measured on lists of ours: level 6 makes them a fifth smaller and takes three times as long, on the event loop."""

_CODINGS = frozenset({b"gzip", b"x-gzip", b"*"})
_VARY = (b"vary", b"Accept-Encoding")


def is_compressible(status: int, headers: Headers) -> bool:
    """Whether an answer of these headers may be compressed.

    Only one whose length is known: what comes bit by bit would be held back. Not what nobody may store: it can hold
    secrets, whose length compression would tell (BREACH).
    """
    control = (first(headers, b"cache-control") or b"").lower()
    return (
        status == 200  # noqa: PLR2004 - parts (206) and problems stay as they are
        and first(headers, b"content-encoding") is None
        and _COMPRESSIBLE.match(first(headers, b"content-type") or b"") is not None
        and first(headers, b"content-length") is not None
        and b"no-transform" not in control
        and b"no-store" not in control
    )


def accepts_gzip(headers: Headers) -> bool:
    """Whether a client reads gzip (RFC 9110, 12.5.3): it says so, and not with weight 0."""
    value = b",".join(value for name, value in headers if name == b"accept-encoding").lower()
    for entry in value.split(b",") if value else ():
        coding, _, weight = entry.partition(b";")
        if coding.strip() in _CODINGS:
            return not re.fullmatch(rb"\s*q\s*=\s*0(?:\.0*)?\s*", weight)
    return False


class Squeezing:
    """One answer on its way through gzip."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def part(self, data: bytes, *, last: bool) -> bytes:
        """The compressed bytes that are there after `data`."""
        done = self._stream.compress(data)
        return done + self._stream.flush() if last else done


def varying(headers: Headers) -> Headers:
    """Headers of an answer that might have been compressed for another client."""
    return [*headers, _VARY]


def squeezed(headers: Headers) -> Headers:
    """Headers of a compressed answer: another length, and a strong tag of its own (RFC 9110, 8.8.3.3)."""
    kept = [(name, tagged(value) if name == b"etag" else value) for name, value in headers if name not in _OF_THE_PLAIN]
    return [*kept, (b"content-encoding", b"gzip")]


_OF_THE_PLAIN = frozenset({b"content-length", b"accept-ranges", b"content-md5", b"content-digest"})


def tagged(etag: bytes) -> bytes:
    """The tag of the compressed form: its own, if the plain one is strong."""
    return etag if etag.startswith(b"W/") or etag.endswith(GZIP_TAG) else etag[:-1] + GZIP_TAG


def confirmed(headers: Headers, condition: bytes) -> Headers:
    """Headers of a 304: the tag is that of the form which the client has."""
    if GZIP_TAG not in condition:
        return headers
    return [(name, tagged(value) if name == b"etag" else value) for name, value in headers]
