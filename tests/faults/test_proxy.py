"""The proxy does what its faults are named after."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.facts import until
from tests.faults.proxy import FaultProxy

SHORT_SECONDS = 0.3


class _Echo(socketserver.BaseRequestHandler):
    """Sends everything back; remembers how its connections ended."""

    ends: list[str]

    def handle(self) -> None:
        connection: socket.socket = self.request
        try:
            while piece := connection.recv(65536):
                connection.sendall(piece)
            self.ends.append("closed")
        except ConnectionResetError:
            self.ends.append("reset")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def ends() -> list[str]:
    return []


@pytest.fixture
def proxy(ends: list[str]) -> Iterator[FaultProxy]:
    handler = type("Echo", (_Echo,), {"ends": ends})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            with FaultProxy("127.0.0.1", server.server_address[1]) as proxy:
                yield proxy
        finally:
            server.shutdown()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with _connect(proxy) as connection:
        assert _echoed(connection, b"hello")
        yield connection


def _connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _echoed(connection: socket.socket, text: bytes, seconds: float = 5.0) -> bool:
    connection.settimeout(seconds)
    connection.sendall(text)
    return _arrives(connection, text, seconds)


def _arrives(connection: socket.socket, text: bytes, seconds: float = 5.0) -> bool:
    connection.settimeout(seconds)
    found = b""
    while len(found) < len(text):
        try:
            found += connection.recv(65536)
        except TimeoutError:
            return False
    return found == text


def _soon(ends: list[str], wanted: list[str]) -> bool:
    give_up = time.monotonic() + 5
    while ends != wanted and time.monotonic() < give_up:
        time.sleep(0.01)
    return ends == wanted


def test_forwards_much_and_tells_that_a_side_has_closed(
    proxy: FaultProxy, client: socket.socket, ends: list[str]
) -> None:
    assert _echoed(client, bytes(range(256)) * 8000)
    client.close()
    assert _soon(ends, ["closed"])
    until(lambda: proxy.connections == 0, 10, "the proxy has let go")


def test_latency_holds_back_in_each_direction(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.latency(SHORT_SECONDS)
    began = time.monotonic()
    assert _echoed(client, b"slow")
    assert time.monotonic() - began >= 2 * SHORT_SECONDS


def test_reset_is_seen_by_both_sides_and_the_next_connection_is_well(
    proxy: FaultProxy, client: socket.socket, ends: list[str]
) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert _soon(ends, ["reset"])
    with _connect(proxy) as another:
        assert _echoed(another, b"well")


def test_black_hole_keeps_back_until_healed(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.black_hole()
    assert not _echoed(client, b"kept", SHORT_SECONDS)
    with _connect(proxy) as another:
        assert not _echoed(another, b"too", SHORT_SECONDS)
        proxy.heal()
        assert _arrives(client, b"kept")
        assert _arrives(another, b"too")


def test_black_hole_tells_nobody_of_an_end_until_healed(
    proxy: FaultProxy, client: socket.socket, ends: list[str]
) -> None:
    proxy.black_hole()
    client.close()
    time.sleep(SHORT_SECONDS)
    assert ends == []
    proxy.heal()
    assert _soon(ends, ["closed"])


def test_what_a_black_hole_kept_is_lost_by_a_reset(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.black_hole()
    assert not _echoed(client, b"lost", SHORT_SECONDS)
    proxy.reset()
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.connections == 0


def test_half_open_passes_one_way_only(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.half_open("to_client")
    assert not _echoed(client, b"question", SHORT_SECONDS)
    proxy.half_open()
    assert not _arrives(client, b"question", SHORT_SECONDS), "the echo came back through the closed direction"
    proxy.heal()
    assert _arrives(client, b"question")


def test_half_open_tells_nobody_of_an_end(proxy: FaultProxy, client: socket.socket, ends: list[str]) -> None:
    proxy.half_open()
    client.close()
    time.sleep(SHORT_SECONDS)
    assert ends == []
    assert proxy.connections == 1
    proxy.heal()
    assert _soon(ends, ["closed"])


def test_refuses_new_connections_only(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    assert _echoed(client, b"still there")
    proxy.heal()
    with _connect(proxy) as another:
        assert _echoed(another, b"welcome")


def test_lost_connections_stay_lost_and_new_ones_are_well(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.lose()
    assert not _echoed(client, b"lost", SHORT_SECONDS)
    with _connect(proxy) as another:
        assert _echoed(another, b"well")
    proxy.heal()
    assert not _arrives(client, b"lost", SHORT_SECONDS)
