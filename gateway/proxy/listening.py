"""The public side of the door: uvicorn's HTTP protocol, with limits on what a stranger may send before he is known."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol sets no limit to a request's head: neither its size nor the time it takes to arrive.

    An endless header would fill the memory, and connections that send a byte now and then would be held for ever,
    all without a key.
    """

    head_bytes: ClassVar[int] = 64 * 1024
    """Most bytes of an incomplete request line and headers."""
    head_seconds: ClassVar[float] = 15.0
    """Longest time from the connection's beginning, or a request's first byte, to the end of its headers."""

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
        """The end of a request's headers."""
        self._in_head = False
        self._unwatch_head()
        super().on_headers_complete()

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
