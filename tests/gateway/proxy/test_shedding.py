"""A door that has too much to do refuses at once, and cheaply; on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.limits.ceiling import Ceiling, CeilingLimits
from gateway.metrics import SHED
from gateway.proxy.listening import guarded, is_plain_get
from tests.gateway.proxy.scene import OK, RawClient, answering

GET = b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n"


class Full(Ceiling):
    """A ceiling that the test raises."""

    def __init__(self) -> None:
        super().__init__(CeilingLimits())
        self.lower_it()

    def raise_it(self) -> None:
        self._left = self._coming = float("inf")

    def lower_it(self, left: float = 0.0) -> None:
        self._left = self._coming = left


async def hello(_scope, receive, send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@pytest.fixture
async def full() -> Full:
    return Full()


@pytest.fixture
async def crowd(full: Full) -> AsyncIterator[list[RawClient]]:
    config = uvicorn.Config(hello, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    make = guarded(full)
    server = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
    yield [RawClient(reader, writer) for reader, writer in opened]
    for _, writer in opened:
        writer.transport.abort()
    server.close()
    await asyncio.sleep(0.01)


@pytest.fixture
def client(crowd: list[RawClient]) -> RawClient:
    return crowd[0]


class TestOnTheWire:
    async def test_is_a_problem_with_a_time_to_come_again_and_the_connection_stays(
        self, client: RawClient, full: Full
    ) -> None:
        before = SHED._value.get()
        for _ in range(3):
            await client.send(GET)
            answer = await client.answer()
            document = json.loads(answer.body)
            assert (answer.status, document["type"]) == (503, "urn:kampungkb:problem:unavailable")
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert len(answer.headers["x-request-id"]) == 36
        assert SHED._value.get() == before + 3
        full.raise_it()
        await client.send(GET)
        assert (await client.answer()).body == b"hi"

    async def test_of_many_that_come_together_only_so_many_are_read(self, crowd: list[RawClient], full: Full) -> None:
        """They are begun one after the other when all have come."""
        full.lower_it(3)
        await asyncio.gather(*(client.send(GET) for client in crowd))
        statuses = sorted([(await client.answer()).status for client in crowd])
        assert statuses == [200] * 3 + [503] * (len(crowd) - 3)

    async def test_what_has_begun_is_brought_to_its_end(self, client: RawClient, full: Full) -> None:
        full.raise_it()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 41\r\n\r\n")
        await asyncio.sleep(0.05)
        full.lower_it()
        await client.send(b"GET / is what this body begins with\r\n\r\nxx")
        assert (await client.answer()).body == b"hi"

    async def test_half_a_request_is_not_taken_for_a_whole_one(self, client: RawClient, full: Full) -> None:
        full.raise_it()
        await client.send(b"GET /thing HTTP/1.1\r\nx-first: ")
        await asyncio.sleep(0.05)
        full.lower_it()
        await client.send(b"GET / HTTP/1.1\r\nhost: door\r\n\r\n")
        assert (await client.answer()).body == b"hi"


class TestPlain:
    @pytest.mark.parametrize(
        "data",
        [
            b"POST" + GET[3:],
            GET[:-2],
            GET + GET,
            GET.replace(b"1.1", b"1.0"),
            GET[:-2] + b"Content-Length: 5\r\n\r\n",
            GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n",
            GET[:-2] + b"Connection: Close\r\n\r\n",
            GET[:-2] + b"Upgrade: websocket\r\n\r\n",
        ],
    )
    def test_anything_else_is_parsed(self, data: bytes) -> None:
        assert is_plain_get(GET)
        assert not is_plain_get(data)


class TestAtTheDoor:
    async def test_what_has_a_body_is_refused_before_a_service_hears_of_it(self, serve, front) -> None:
        service = await serve(answering(OK))
        door = await front(service.url, ceiling=Full())
        answer = await (await door.connect()).ask("POST", "/thing", body=b"{}")
        assert (answer.status, "retry-after" in answer.headers, service.heard) == (503, True, [])
