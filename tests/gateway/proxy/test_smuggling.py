"""Requests that two parsers could read differently: refused, or ended at the door. Raw bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.proxy.listening import GuardedProtocol
from tests.gateway.proxy.scene import OK, Front, RawClient, answering

POST = b"POST /thing HTTP/1.1\r\nhost: door\r\n"
GET = b"GET /thing HTTP/1.1\r\nhost: door\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /thing/smuggled HTTP/1.1\r\nhost: door\r\n\r\n"

REFUSED = {
    "length and chunked": POST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
    "the same length twice": POST + b"content-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
    "a list of lengths": POST + b"content-length: 4, 4\r\n\r\nabcd",
    "a signed length": POST + b"content-length: +4\r\n\r\nabcd",
    "a hexadecimal length": POST + b"content-length: 0x4\r\n\r\nabcd",
    "bare LF": b"POST /thing HTTP/1.1\nhost: door\ncontent-length: 0\n\n",
    "bare LF after a header": GET + b"x: a\ny: b\r\n\r\n",
    "bare CR": GET + b"x: a\ry: b\r\n\r\n",
    "a folded line": GET + b"x: a\r\n b\r\n\r\n",
    "a folded first line": b"GET /thing HTTP/1.1\r\n host: door\r\n\r\n",
    "space before the colon": GET + b"x : a\r\n\r\n",
    "space before the coding's colon": POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "no coding": POST + b"transfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding that nobody undoes": POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /thing HTTP/1.0\r\nhost: door\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET /thing HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"host: other\r\n\r\n",
    "NUL": GET + b"x: a\x00b\r\n\r\n",
    "a control character in a name": GET + b"x\x0b: a\r\n\r\n",
    "no name": GET + b": a\r\n\r\n",
    "HTTP/1.2": b"GET /thing HTTP/1.2\r\nhost: door\r\n\r\n",
    "HTTP/2.0": b"GET /thing HTTP/2.0\r\nhost: door\r\n\r\n",
    "HTTP/0.9": b"GET /thing\r\n\r\n",
    "a small method": b"get /thing HTTP/1.1\r\nhost: door\r\n\r\n",
    "a tunnel": b"CONNECT other:443 HTTP/1.1\r\nhost: door\r\n\r\n" + SMUGGLED,
}

Guarded = Callable[[Front], Awaitable[RawClient]]


@pytest.fixture
async def guarded() -> AsyncIterator[Guarded]:
    """A connection to a door as it listens to strangers."""
    opened: list[tuple[asyncio.Server, RawClient]] = []

    async def connect(door: Front) -> RawClient:
        config = uvicorn.Config(door.door, lifespan="off", log_config=None, timeout_keep_alive=75)
        config.load()
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: GuardedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        client = RawClient(*await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1]))
        opened.append((server, client))
        return client

    yield connect
    for server, client in opened:
        client.writer.transport.abort()
        server.close()
    await asyncio.sleep(0.01)


class TestRefused:
    @pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
    async def test_before_a_service_hears_of_it_and_the_connection_ends(self, serve, front, guarded, data):
        service = await serve(answering(OK))
        client = await guarded(await front(service.url))
        await client.send(data)
        answer = await client.answer()
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert json.loads(answer.body)["type"] == "urn:kampungkb:problem:malformed"
        assert await client.eof() == b""
        assert service.heard == []

    @pytest.mark.parametrize(
        "chunks",
        [
            b"2\nhi\n0\n\n",
            b"2;a\nhi\r\n0\r\n\r\n",
            b"0x2\r\nhi\r\n0\r\n\r\n",
            b"2 \r\nhi\r\n0\r\n\r\n",
            b"-2\r\nhi\r\n0\r\n\r\n",
            b"fffffffffffffffff\r\nhi\r\n0\r\n\r\n",
            b"2\r\nhiX\r\n0\r\n\r\n" + SMUGGLED,
        ],
    )
    async def test_chunks_that_can_be_read_in_two_ways(self, serve, front, guarded, chunks):
        service = await serve(answering(OK))
        client = await guarded(await front(service.url))
        await client.send(CHUNKED + chunks)
        assert (await client.eof()).startswith(b"HTTP/1.1 400 ")
        assert not [one for one in service.heard if "smuggled" in one.line]


class TestEndedAtTheDoor:
    async def test_extensions_and_trailers_of_chunks_are_not_passed_on(self, serve, front, guarded):
        service = await serve(answering(OK))
        client = await guarded(await front(service.url))
        await client.send(CHUNKED + b"2;a=b\r\nhi\r\n0\r\nx-kkb-identity: forged\r\n\r\n")
        assert (await client.answer()).status == 200
        assert service.heard[0].body == b"hi"
        assert service.heard[0].all("x-kkb-identity") == ["signed"]

    @pytest.mark.parametrize(
        "head", [GET + b"connection: close\r\n\r\n", GET + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"]
    )
    async def test_what_follows_the_last_request_is_no_request(self, serve, front, guarded, head):
        service = await serve(answering(OK))
        client = await guarded(await front(service.url))
        await client.send(head + SMUGGLED)
        assert (await client.answer()).status == 200
        if b"close" in head:
            assert await client.eof() == b""
        else:
            await asyncio.sleep(0.05)
        assert not [one for one in service.heard if "smuggled" in one.line]

    async def test_a_body_of_a_get_is_its_own(self, serve, front, guarded):
        service = await serve(answering(OK))
        client = await guarded(await front(service.url))
        await client.send(GET + b"content-length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
        assert (await client.answer()).status == 200
        assert [one.body for one in service.heard] == [SMUGGLED]
