"""The public side of the door: uvicorn's HTTP protocol, with limits on what a stranger may send before he is known."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.limits.ceiling import TOO_MUCH, Ceiling
from kit.ids import uuid7_text
from kit.problems import MEDIA_TYPE, RETRY_AFTER_SECONDS, HeadTooLarge, Malformed, Problem, Unavailable


def _last_words(problem: Problem) -> bytes:
    """A problem before there is a request to answer, and the end of the connection."""
    body = json.dumps(problem.body()).encode()
    phrase = HTTPStatus(problem.status).phrase.encode()
    head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (problem.status, phrase, MEDIA_TYPE.encode(), len(body)) + body


_TOO_LARGE = _last_words(HeadTooLarge())
_MALFORMED = _last_words(Malformed())
_SHED_BODY = json.dumps(Unavailable(TOO_MUCH).body()).encode()
_SHED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: %b\r\ncontent-length: %d\r\nretry-after: %d\r\n"
    b"x-request-id: %%b\r\n\r\n%b"
) % (MEDIA_TYPE.encode(), len(_SHED_BODY), RETRY_AFTER_SECONDS, _SHED_BODY)
_MAY_FRAME_MORE = (b"content-length", b"transfer-encoding", b"upgrade", b"close")


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol sets no limit to a request's head: neither its size nor the time it takes to arrive.

    An endless header would fill the memory, and connections that send a byte now and then would be held for ever,
    all without a key.
    """

    head_bytes: ClassVar[int] = 64 * 1024
    """Most bytes of an incomplete request line and headers."""
    head_seconds: ClassVar[float] = 15.0
    """Longest time from the connection's beginning, or a request's first byte, to the end of its headers."""

    ceiling: ClassVar[Ceiling | None] = None
    """What says that the door has too much to do."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_read = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client connected."""
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._unwatch_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if (
            self.ceiling is not None
            and self._is_between_requests()
            and not self.ceiling.lets_in()
            and is_plain_get(data)
        ):
            # Refused before it is parsed, for a tenth of what an answer costs: refusing must not be what overloads.
            self.ceiling.refuse()
            self.transport.write(_SHED % uuid7_text().encode())
            return
        super().data_received(data)
        if not self._in_head:
            return
        # What remains incomplete after a read counts; the read itself is limited by the transport.
        self._head_read += len(data)
        if self._head_read > self.head_bytes and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._in_head, self._head_read = True, 0
        self._watch_head()

    def on_headers_complete(self) -> None:
        """The end of a request's headers.

        Raises:
            ValueError: the head could be read in two ways (RFC 9112, 3.2 and 6.1); the parser turns it into a 400.
        """
        self._refuse_ambiguous()
        self._in_head = False
        self._unwatch_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - as uvicorn has it
        """Refuse what is no request, as a problem like all others."""
        self.transport.write(_MALFORMED)
        self.transport.close()

    def _refuse_ambiguous(self) -> None:
        """What the parser lets through: other codings than chunked, a second host, other versions."""
        version = self.parser.get_http_version()
        coding = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in {"1.0", "1.1"} or hosts > 1 or (hosts == 0 and version == "1.1"):
            raise ValueError("version or host")
        if coding and (coding != [b"chunked"] or version != "1.1"):
            raise ValueError("transfer coding")

    def _is_between_requests(self) -> bool:
        """Whether the next byte begins a request, and nothing is owed for an earlier one."""
        return (not self._in_head or not self._head_read) and (self.cycle is None or self.cycle.response_complete)

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _unwatch_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self, *_: Any) -> None:
        self._head_timer = None
        self.transport.close()


def is_plain_get(data: bytes) -> bool:
    """Whether these bytes are exactly one request that has no body and keeps its connection."""
    if not data.startswith(b"GET ") or not data.endswith(b"\r\n\r\n") or data.count(b"\r\n\r\n") != 1:
        return False
    lowered = data.lower()
    return b" http/1.1\r\n" in lowered and not any(word in lowered for word in _MAY_FRAME_MORE)


def guarded(ceiling: Ceiling) -> type[GuardedProtocol]:
    """The protocol under a ceiling."""
    return type("GuardedUnderCeiling", (GuardedProtocol,), {"ceiling": ceiling})
