"""A connection whose other side has gone silent ends, also when something waits to be sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from kit import sockets
from kit.sockets import Loop
from tests.faults.proxy import FaultProxy

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux only")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that takes one connection and reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(ConnectionError):
                while connection.recv(65536):
                    pass

        reading = threading.Thread(target=serve)
        reading.start()
        yield server
        with contextlib.suppress(ConnectionError), socket.create_connection(server.getsockname()):
            pass  # in case nobody came
        reading.join()


def test_closing_what_nobody_takes_ends(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it waits for the kernel: nats-py was seen to hang so in its reconnection, for more than ten minutes."""
    monkeypatch.setitem(sockets._KEEPALIVE, "TCP_USER_TIMEOUT", 1000)

    async def close_with_much_to_send(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 32_000_000)
        writer.close()
        async with asyncio.timeout(30):
            with pytest.raises(TimeoutError) as gone:
                await writer.wait_closed()
        assert gone.value.errno is not None, "the kernel's own, not ours"
        assert reader.at_eof() or reader.exception() is not None

    with FaultProxy(*listener.getsockname()) as proxy, asyncio.Runner(loop_factory=Loop) as runner:
        proxy.black_hole()
        runner.run(close_with_much_to_send(proxy.port))


def test_every_connection_is_limited(listener: socket.socket) -> None:
    async def options() -> list[int]:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        connection: socket.socket = writer.get_extra_info("socket")
        level = socket.IPPROTO_TCP
        found = [
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            connection.getsockopt(level, socket.TCP_KEEPIDLE),
            connection.getsockopt(level, socket.TCP_USER_TIMEOUT),
        ]
        writer.close()
        await writer.wait_closed()
        return found

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(options()) == [1, 10, 20_000]
