"""Keeping, repeating and limiting connections to a service."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gateway.proxy.connections import Exchange
from tests.conftest import eventually
from tests.gateway.proxy.scene import OK, Reader, Service, Writer, answering, answering_once


def closing_kept_connections(service_gone_after: int = 1):
    """A script that keeps its connections, and closes each one when it is used again, without a byte of answer."""

    async def script(service: Service, reader: Reader, writer: Writer) -> None:
        for _ in range(service_gone_after):
            await service.hear(reader)
            writer.write(OK)
        await service.hear(reader)

    return script


class TestGarbage:
    async def test_an_exchange_leaves_no_cycles(self, serve, front):
        """The collector would find them tens of thousands at a time, and every request would wait for it."""
        service = await serve(answering(OK))
        door = await front(service.url)
        client = await door.connect()

        async def none_left() -> bool:
            # Those of this door only: gateways of other tests in the process wait for their services meanwhile.
            there = [one for one in gc.get_objects() if isinstance(one, Exchange)]
            return not any(one._connection.pool is door.pools["thing"] for one in there)

        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                assert (await client.ask("GET", "/thing")).body == b"ok"
            assert len(service.heard) == 3
            await eventually(none_left, 10)
        finally:
            gc.enable()


class TestReuse:
    async def test_one_connection_serves_many_requests(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url)
        client = await door.connect()
        for _ in range(5):
            assert (await client.ask("GET", "/thing")).body == b"ok"
        assert service.connections == 1
        assert (door.pools["thing"].open, door.pools["thing"].idle) == (1, 1)

    async def test_connection_close_is_respected(self, serve, front):
        service = await serve(answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"))
        door = await front(service.url)
        client = await door.connect()
        for _ in range(2):
            answer = await client.ask("GET", "/thing")
            assert answer.body == b"ok"
            assert "connection" not in answer.headers
        assert service.connections == 2
        assert door.pools["thing"].idle == 0

    @pytest.mark.parametrize("extra", [b"x", b"H", b"HTTP/1.1 200 OK\r\n", OK])
    async def test_more_bytes_than_announced_are_not_the_next_answer(self, serve, front, extra):
        service = await serve(answering(OK + extra))
        client = await (await front(service.url)).connect()
        for _ in range(3):
            assert (await client.ask("GET", "/thing")).body == b"ok"
        assert service.connections == 3

    async def test_bytes_nobody_asked_for_end_the_connection(self, serve, front):
        async def chatty(service: Service, reader: Reader, writer: Writer) -> None:
            while True:
                await service.hear(reader)
                writer.write(OK)
                await service.proceed.wait()
                writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
                await reader.readexactly(1)

        service = await serve(chatty)
        client = await (await front(service.url)).connect()
        assert (await client.ask("GET", "/thing")).status == 200
        service.proceed.set()
        await service.gone.wait()
        assert (await client.ask("GET", "/thing")).status == 200
        assert service.connections == 2

    async def test_idle_connections_expire(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, idle_seconds=0.001)).connect()
        for _ in range(2):
            await client.ask("GET", "/thing")
            await asyncio.sleep(0.01)
        assert service.connections == 2

    async def test_connections_do_not_live_for_ever(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, lifetime_seconds=0.001)).connect()
        for _ in range(2):
            await client.ask("GET", "/thing")
            await asyncio.sleep(0.01)
        assert service.connections == 2


class TestRepeating:
    @pytest.mark.parametrize(("method", "body"), [("GET", b""), ("HEAD", b""), ("DELETE", b""), ("PUT", b"")])
    async def test_idempotent_requests_are_repeated_once_on_a_fresh_connection(self, serve, front, method, body):
        service = await serve(closing_kept_connections())
        client = await (await front(service.url)).connect()
        for _ in range(3):
            assert (await client.ask(method, "/thing", body=body)).status == 200
        assert service.connections == 3

    async def test_a_small_body_of_a_safe_request_is_sent_again(self, serve, front):
        service = await serve(closing_kept_connections())
        client = await (await front(service.url)).connect()
        for _ in range(2):
            assert (await client.ask("GET", "/thing", body=b"query")).status == 200
        assert [heard.body for heard in service.heard] == [b"query"] * 3

    @pytest.mark.parametrize(("method", "body"), [("POST", b""), ("POST", b"{}"), ("PUT", b"{}"), ("DELETE", b"{}")])
    async def test_what_might_be_carried_out_twice_is_not_repeated(self, serve, front, method, body):
        service = await serve(closing_kept_connections())
        client = await (await front(service.url)).connect()
        assert (await client.ask(method, "/thing", body=body)).status == 200
        answer = await client.ask(method, "/thing", body=body)
        assert (answer.status, answer.headers["content-type"]) == (502, "application/problem+json")
        assert len(service.heard) == 2

    async def test_a_fresh_connection_is_not_repeated(self, serve, front):
        service = await serve(closing_kept_connections(0))
        client = await (await front(service.url)).connect()
        assert (await client.ask("GET", "/thing")).status == 502
        assert service.connections == 1

    async def test_not_repeated_after_the_first_byte_of_an_answer(self, serve, front):
        async def script(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            writer.write(OK)
            await service.hear(reader)
            writer.write(b"H")
            await writer.drain()

        service = await serve(script)
        client = await (await front(service.url)).connect()
        assert (await client.ask("GET", "/thing")).status == 200
        assert (await client.ask("GET", "/thing")).status == 502
        assert service.connections == 1

    async def test_a_service_that_was_restarted_is_found_again(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url)
        clients = [await door.connect() for _ in range(3)]
        assert [a.status for a in await asyncio.gather(*(c.ask("GET", "/thing") for c in clients))] == [200] * 3
        await service.stop()
        assert (await clients[0].ask("GET", "/thing")).status == 503
        await service.start()
        assert [a.status for a in await asyncio.gather(*(c.ask("POST", "/thing") for c in clients))] == [200] * 3


class TestLimits:
    async def test_no_more_connections_than_allowed(self, serve, front):
        async def after_permission(service: Service, reader: Reader, writer: Writer) -> None:
            while True:
                await service.hear(reader)
                service.busy.set()
                await service.proceed.wait()
                writer.write(OK)

        service = await serve(after_permission)
        door = await front(service.url, connections=2)
        asked = [asyncio.ensure_future((await door.connect()).ask("GET", "/thing")) for _ in range(6)]
        await service.busy.wait()
        service.proceed.set()
        assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 6
        assert service.connections <= 2

    @pytest.mark.parametrize("limits", [{"waiting": 0}, {"wait_seconds": 0.01}])
    async def test_who_cannot_be_served_is_told_when_to_come_back(self, serve, front, limits):
        async def never(service: Service, reader: Reader, _writer: Writer) -> None:
            await service.hear(reader)
            service.busy.set()
            await reader.readexactly(1)

        service = await serve(never)
        door = await front(service.url, connections=1, **limits)
        first = asyncio.ensure_future((await door.connect()).ask("GET", "/thing"))
        await service.busy.wait()
        answer = await (await door.connect()).ask("GET", "/thing")
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
        assert door.calls[-1].failure == "busy"
        first.cancel()

    async def test_a_waiter_that_leaves_frees_its_place(self, serve, front):
        async def after_permission(service: Service, reader: Reader, writer: Writer) -> None:
            while True:
                await service.hear(reader)
                service.busy.set()
                await service.proceed.wait()
                writer.write(OK)

        service = await serve(after_permission)
        door = await front(service.url, connections=1, wait_seconds=0.01)
        first = asyncio.ensure_future((await door.connect()).ask("GET", "/thing"))
        await service.busy.wait()
        assert (await (await door.connect()).ask("GET", "/thing")).status == 503
        service.proceed.set()
        assert (await first).status == 200
        assert (await (await door.connect()).ask("GET", "/thing")).status == 200


class TestClosing:
    async def test_idle_connections_are_closed_on_the_way_out(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url)
        await (await door.connect()).ask("GET", "/thing")
        door.pools["thing"].close()
        await service.gone.wait()
        assert door.pools["thing"].idle == 0

    async def test_a_service_that_closes_while_idle_is_noticed(self, serve, front):
        service = await serve(answering_once(OK))
        door = await front(service.url)
        client = await door.connect()
        for expected in (1, 2, 3):
            assert (await client.ask("GET", "/thing")).status == 200
            assert service.connections == expected
        while door.pools["thing"].open:
            await asyncio.sleep(0)
        assert door.pools["thing"].idle == 0
