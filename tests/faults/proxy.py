"""A small TCP proxy that does to connections what networks do: slow, cut, swallow, forget, refuse.

It runs in a thread of its own, so that tests may call it from wherever they are. What is kept back is not lost: after
`heal` it arrives, unless the connection was reset. TCP keep-alives are answered by this machine's kernel on both sides,
so a black hole here is one that keep-alives do not see: only limits of our own end such a wait.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Literal, Self

from deploy.embedded.ports import free_port

_CHUNK = 256 * 1024
_PATIENCE_SECONDS = 10.0
_RST_ON_CLOSE = struct.pack("ii", 1, 0)

Way = Literal["to_server", "to_client"]


def _break_off(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that its peer sees RST, unless it was closed in an orderly way before."""
    if not writer.transport.is_closing():
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
    writer.transport.abort()


class _Gates:
    """What connections get through, and whether their ends are told."""

    def __init__(self) -> None:
        self.ways: dict[Way, asyncio.Event] = {"to_server": asyncio.Event(), "to_client": asyncio.Event()}
        self.ends = asyncio.Event()
        self.open("to_server", "to_client", ends=True)

    def open(self, *through: Way, ends: bool = False) -> None:
        """Open these ways, close the others."""
        for way, gate in self.ways.items():
            (gate.set if way in through else gate.clear)()
        (self.ends.set if ends else self.ends.clear)()


class FaultProxy:
    """Forwards connections of `port` on 127.0.0.1 to a server, with faults on demand."""

    def __init__(self, target_host: str, target_port: int) -> None:
        self.port = free_port()
        self._target = (target_host, target_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._seconds = 0.0
        self._gates = _Gates()

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    @property
    def connections(self) -> int:
        """Connections that are open or were not told that they are closed."""
        return len(self._links)

    def latency(self, seconds: float) -> None:
        """Hold back every piece for so long, in each direction."""
        self._seconds = seconds

    def reset(self) -> None:
        """Break all open connections now; both sides see RST. What was kept back is lost."""
        self._call(self._break_all())

    def black_hole(self) -> None:
        """Accept connections and forward nothing either way, not even that a side has closed."""
        self._call(self._open())

    def half_open(self, through: Way = "to_server") -> None:
        """Only one direction goes through, and neither side is told that the other has closed."""
        self._call(self._open(through))

    def lose(self) -> None:
        """Forget the open connections, as a firewall does: nothing comes through them ever again. New ones are well."""

        async def lose() -> None:
            self._gates.open()
            self._gates = _Gates()

        self._call(lose())

    def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        self._call(self._close_door())

    def heal(self) -> None:
        """All is well again: what was kept back arrives, late; only lost connections stay lost."""

        async def heal() -> None:
            self._seconds = 0.0
            self._gates.open("to_server", "to_client", ends=True)
            await self._listen()

        self._call(heal())

    async def _open(self, *through: Way) -> None:
        self._gates.open(*through)

    def _call(self, job: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(job, self._loop).result(_PATIENCE_SECONDS)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _close_door(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _break_all(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _end(self) -> None:
        await self._close_door()
        await self._break_all()
        await asyncio.sleep(0)  # a transport closes one turn of the loop after it was aborted

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = self._loop.create_task(self._serve(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        writers, gates = [to_client], self._gates
        try:
            await gates.ways["to_server"].wait()
            from_server, to_server = await asyncio.open_connection(*self._target)
            writers.append(to_server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(gates, "to_server", from_client, to_server))
                both.create_task(self._forward(gates, "to_client", from_server, to_client))
            for writer in writers:
                writer.close()
                await writer.wait_closed()
        except (OSError, ExceptionGroup):
            await gates.ends.wait()
        finally:
            for writer in writers:
                _break_off(writer)

    async def _forward(
        self, gates: _Gates, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_CHUNK):
            if self._seconds:
                await asyncio.sleep(self._seconds)
            await gates.ways[way].wait()
            writer.write(piece)
            await writer.drain()
        await gates.ways[way].wait()
        await gates.ends.wait()
        if writer.can_write_eof():
            writer.write_eof()
