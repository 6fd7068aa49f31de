"""Services that answer badly, late or never."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from tests.gateway.proxy.scene import OK, Reader, Service, Writer, answering, answering_once


async def silent(service: Service, reader: Reader, _writer: Writer) -> None:
    await service.hear(reader)
    service.busy.set()
    await reader.readexactly(1)


async def resetting(service: Service, reader: Reader, writer: Writer) -> None:
    await service.hear(reader)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestNoAnswer:
    async def test_nobody_listens(self, front):
        door = await front(f"http://127.0.0.1:{free_port()}")
        answer = await (await door.connect()).ask("POST", "/thing", body=b"{}")
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
        document = json.loads(answer.body)
        assert document["type"] == "urn:kampungkb:problem:unavailable"
        assert "127.0.0.1" not in answer.body.decode()
        assert door.calls[0].failure == "connect"

    async def test_slow_first_byte(self, serve, front):
        service = await serve(silent)
        door = await front(service.url, first_byte_seconds=0.05)
        client = await door.connect()
        answer = await client.ask("GET", "/thing")
        assert (answer.status, answer.headers["content-type"]) == (504, "application/problem+json")
        assert door.calls[0].failure == "first_byte"
        await service.gone.wait()

    async def test_interim_answers_do_not_count_as_an_answer(self, serve, front):
        async def only_interim(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await reader.readexactly(1)

        client = await (await front((await serve(only_interim)).url, first_byte_seconds=0.05)).connect()
        assert (await client.ask("GET", "/thing")).status == 504

    async def test_all_in_all_too_long(self, serve, front):
        service = await serve(silent)
        door = await front(service.url, total_seconds=0.05)
        assert (await (await door.connect()).ask("GET", "/thing")).status == 504
        assert door.calls[0].failure == "total"
        await service.gone.wait()

    @pytest.mark.parametrize("script", [resetting, answering_once(b"")])
    async def test_broken_off_before_the_answer(self, serve, front, script):
        door = await front((await serve(script)).url)
        answer = await (await door.connect()).ask("GET", "/thing")
        assert answer.status == 502
        assert "retry-after" not in answer.headers
        assert door.calls[0].failure == "closed"


class TestNonsense:
    @pytest.mark.parametrize(
        "answer",
        [
            b"220 mail.example ESMTP\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nx-bad: a\x01b\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nx bad: a\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nabc",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * 70_000 + b"\r\ncontent-length: 2\r\n\r\nok",
        ],
        ids=lambda answer: answer[:60].decode("latin-1"),
    )
    async def test_is_a_502_and_the_connection_is_not_used_again(self, serve, front, answer):
        service = await serve(answering(answer))
        door = await front(service.url)
        client = await door.connect()
        for expected in (1, 2):
            got = await client.ask("GET", "/thing")
            assert (got.status, got.headers["content-type"]) == (502, "application/problem+json")
            assert service.connections == expected
        assert {call.failure for call in door.calls} == {"protocol"}


class TestHalfAnAnswer:
    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
        ],
    )
    async def test_the_client_can_see_that_it_is_half(self, serve, front, answer):
        door = await front((await serve(answering_once(answer))).url)
        client = await door.connect()
        got = await client.ask("GET", "/thing")
        assert (got.status, got.complete) == (200, False)
        assert await client.eof() == b""
        assert door.calls[0].failure in {"closed", "protocol"}

    async def test_half_a_head_is_no_answer(self, serve, front):
        client = await (await front((await serve(answering_once(OK[:20]))).url)).connect()
        assert (await client.ask("GET", "/thing")).status == 502

    async def test_an_answer_that_stalls_is_ended(self, serve, front):
        async def stalling(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            await reader.readexactly(1)

        service = await serve(stalling)
        door = await front(service.url, total_seconds=0.1)
        got = await (await door.connect()).ask("GET", "/thing")
        assert (got.status, got.complete) == (200, False)
        assert door.calls[0].failure == "total"
        await service.gone.wait()


class TestTheClientLeaves:
    async def test_while_it_waits_for_the_answer(self, serve, front):
        service = await serve(silent)
        door = await front(service.url)
        client = await door.connect()
        await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
        await service.busy.wait()
        client.writer.transport.abort()
        await service.gone.wait()
        await door.until_calls(1)
        assert (door.calls[0].failure, door.calls[0].status) == ("client_gone", 0)
        assert door.pools["thing"].open == 0

    async def test_while_it_sends(self, serve, front):
        async def reading(service: Service, reader: Reader, _writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            service.busy.set()
            await reader.readexactly(100)

        service = await serve(reading)
        door = await front(service.url)
        client = await door.connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 100\r\n\r\nhalf")
        await service.busy.wait()
        client.writer.transport.abort()
        await service.gone.wait()
        await door.until_calls(1)
        assert door.calls[0].failure == "client_gone"

    async def test_while_it_reads(self, serve, front):
        async def endless(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()

        service = await serve(endless)
        door = await front(service.url)
        client = await door.connect()
        await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
        await client.reader.readexactly(10_000)
        client.writer.transport.abort()
        await service.gone.wait()
        await door.until_calls(1)
        assert door.calls[0].failure == "client_gone"

    async def test_before_its_body_begins(self, serve, front):
        service = await serve(silent)
        door = await front(service.url)
        client = await door.connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 100\r\n\r\n")
        await asyncio.sleep(0.01)
        client.writer.transport.abort()
        await door.until_calls(1)
        assert (door.calls[0].failure, service.connections) == ("client_gone", 0)
