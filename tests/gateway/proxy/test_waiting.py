"""Operations that let a request wait: their own connections, and the end of the process."""

from __future__ import annotations

import asyncio

from gateway.proxy.routing import RoutingTable
from tests.gateway.proxy.scene import OK, Reader, Service, Writer


async def holding(service: Service, reader: Reader, writer: Writer) -> None:
    """Answers when the test says so; what is asked at /thing at once."""
    while True:
        heard = await service.hear(reader)
        if "/waiting" in heard.line:
            service.busy.set()
            await service.proceed.wait()
        writer.write(OK)
        await writer.drain()


async def test_those_who_wait_leave_the_others_their_connections(serve, front):
    service = await serve(holding)
    door = await front(service.url, connections=1, waiting=0)
    waiter, other = await door.connect(), await door.connect()
    asking = asyncio.create_task(waiter.ask("GET", "/thing/waiting"))
    await service.busy.wait()
    assert (await other.ask("GET", "/thing")).status == 200
    assert (await other.ask("GET", "/thing/waiting")).status == 503
    service.proceed.set()
    assert (await asking).status == 200


async def test_a_door_that_closes_sends_them_elsewhere(serve, front):
    service = await serve(holding)
    door = await front(service.url)
    asking = asyncio.create_task((await door.connect()).ask("GET", "/thing/waiting"))
    await service.busy.wait()
    door.forwarder.drain()
    async with asyncio.timeout(15):
        answer = await asking
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert door.calls[0].failure == "drain"
    client = await door.connect()
    assert (await client.ask("GET", "/thing/waiting")).status == 503
    assert (await client.ask("GET", "/thing")).status == 200


async def test_an_answer_that_has_begun_is_brought_to_its_end(serve, front):
    async def slow(service: Service, reader: Reader, writer: Writer) -> None:
        await service.hear(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no")
        service.busy.set()
        await service.proceed.wait()
        writer.write(b"k")
        await writer.drain()

    service = await serve(slow)
    door = await front(service.url)
    client = await door.connect()
    await client.send(b"GET /thing/waiting HTTP/1.1\r\nhost: door\r\n\r\n")
    await client.reader.readuntil(b"\r\n\r\n")
    door.forwarder.drain()
    service.proceed.set()
    assert await client.reader.readexactly(2) == b"ok"


def test_the_contract_says_which_operations_wait():
    operation = {"operationId": "x", "security": [{"key": ["changes:read"]}], "x-waits": True}
    other = {"operationId": "y", "security": [{"key": ["changes:read"]}]}
    table = RoutingTable()
    table.add_document("registry", {"paths": {"/changes": {"get": operation}, "/other": {"get": other}}})
    assert table.find("GET", "/changes").waits
    assert not table.find("GET", "/other").waits
