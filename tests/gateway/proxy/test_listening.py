"""What a stranger may send before the door knows him."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.proxy.listening import GuardedProtocol
from tests.gateway.proxy.scene import RawClient

HEAD = b"GET / HTTP/1.1\r\nhost: door\r\n"


class Impatient(GuardedProtocol):
    head_bytes = 1000
    head_seconds = 1.0


async def hello(scope, receive, send) -> None:
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@pytest.fixture
async def client() -> AsyncIterator[RawClient]:
    config = uvicorn.Config(hello, lifespan="off", log_config=None, timeout_keep_alive=75)
    config.load()
    loop = asyncio.get_running_loop()
    state = ServerState()
    server = await loop.create_server(
        lambda: Impatient(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    yield RawClient(reader, writer)
    writer.transport.abort()
    server.close()
    await asyncio.sleep(0.01)


class TestSize:
    @pytest.mark.parametrize("piece", [b"x: 1\r\n", b"x" * 10], ids=["many headers", "one endless header"])
    async def test_an_endless_head_is_refused(self, client: RawClient, piece: bytes) -> None:
        sent = len(HEAD)
        client.writer.write(HEAD)
        while not client.reader._buffer:
            client.writer.write(piece)
            sent += len(piece)
            await asyncio.sleep(0)
        assert (await client.reader.read(12)) == b"HTTP/1.1 431"
        assert sent > 1000

    async def test_it_says_why(self, client: RawClient) -> None:
        await client.send(HEAD + b"x: " + b"y" * 2000)
        assert (await client.eof()).startswith(b"HTTP/1.1 431 ")

    async def test_an_endless_address_is_refused(self, client: RawClient) -> None:
        await client.send(b"GET /" + b"a" * 2000)
        assert (await client.eof()).startswith(b"HTTP/1.1 431 ")

    async def test_bodies_are_not_heads(self, client: RawClient) -> None:
        for _ in range(3):
            await client.send(b"POST / HTTP/1.1\r\nhost: door\r\ncontent-length: 5000\r\n\r\n" + b"x" * 2500)
            await client.send(b"x" * 2500)
            assert (await client.answer()).body == b"hi"

    async def test_each_request_has_its_own_allowance(self, client: RawClient) -> None:
        for _ in range(5):
            await client.send(HEAD + b"x: " + b"y" * 600)
            await client.send(b"\r\n\r\n")
            assert (await client.answer()).body == b"hi"


class TestTime:
    async def test_silence_is_ended(self, client: RawClient) -> None:
        assert await client.eof() == b""

    async def test_half_a_head_is_ended(self, client: RawClient) -> None:
        await client.send(HEAD)
        assert await client.eof() == b""

    async def test_half_a_second_head_is_ended(self, client: RawClient) -> None:
        await client.send(HEAD + b"\r\n")
        assert (await client.answer()).body == b"hi"
        await client.send(HEAD)
        assert await client.eof() == b""

    async def test_dribbling_does_not_help(self, client: RawClient) -> None:
        await client.send(HEAD + b"x: ")

        async def dribble() -> None:
            while True:
                client.writer.write(b"y")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        try:
            # what it still sends while the door closes may be answered by a reset
            with contextlib.suppress(ConnectionResetError):
                assert await client.eof() == b""
        finally:
            dribbling.cancel()

    async def test_a_pause_between_requests_is_allowed(self, client: RawClient) -> None:
        await client.send(HEAD + b"\r\n")
        assert (await client.answer()).body == b"hi"
        await asyncio.sleep(1.2)
        await client.send(HEAD + b"\r\n")
        assert (await client.answer()).body == b"hi"
