"""Request bodies: streaming, limits, back-pressure."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.gateway.proxy.scene import OK, Reader, Service, Writer, answering

CHUNKED = b"POST /thing HTTP/1.1\r\nhost: door\r\ntransfer-encoding: chunked\r\n\r\n"


class TestStreaming:
    async def test_chunks_reach_the_service_before_the_last_one_is_written(self, serve, front):
        async def piecewise(service: Service, reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(10) == b"5\r\nfirst\r\n"
            service.busy.set()
            assert await reader.readuntil(b"0\r\n\r\n") == b"4\r\nlast\r\n0\r\n\r\n"
            writer.write(OK)
            await reader.read()

        service = await serve(piecewise)
        client = await (await front(service.url)).connect()
        await client.send(CHUNKED + b"5\r\nfirst\r\n")
        await service.busy.wait()
        await client.send(b"4\r\nlast\r\n0\r\n\r\n")
        assert (await client.answer()).body == b"ok"

    async def test_a_chunked_body_that_is_all_there_gets_a_length(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.send(CHUNKED + b"5\r\nfirst\r\n4\r\nlast\r\n0\r\n\r\n")
        assert (await client.answer()).status == 200
        assert service.heard[0].body == b"firstlast"

    async def test_early_answer_is_not_held_back(self, serve, front):
        async def refusing(service: Service, reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
            await service.proceed.wait()

        service = await serve(refusing)
        door = await front(service.url)
        client = await door.connect()
        await client.send(CHUNKED + b"5\r\nfirst\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body) == (403, b"no")
        assert door.pools["thing"].idle == 0
        service.proceed.set()

    async def test_100_continue_is_answered_at_the_door(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"body")
        assert (await client.answer()).status == 200
        assert service.heard[0].body == b"body"
        assert service.heard[0].all("expect") == []


class TestLimits:
    async def test_announced_too_large_is_refused_before_it_is_sent(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, body_bytes=1000)).connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, json.loads(answer.body)["limit"]) == (413, 1000)
        assert service.connections == 0

    async def test_exactly_the_limit_passes(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, body_bytes=1000)).connect()
        assert (await client.ask("POST", "/thing", body=b"x" * 1000)).status == 200

    @pytest.mark.parametrize("pieces", [1, 3])
    async def test_chunked_cannot_hide_its_size(self, serve, front, pieces):
        async def reading(service: Service, reader: Reader, _writer: Writer) -> None:
            await service.hear(reader)

        service = await serve(reading)
        client = await (await front(service.url, body_bytes=1000)).connect()
        await client.send(CHUNKED)
        for _ in range(pieces):
            await client.send(b"3e9\r\n" + b"x" * 1001 + b"\r\n")
            await asyncio.sleep(0.01)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert not service.heard

    async def test_a_client_that_keeps_sending_still_reads_why(self, serve, front):
        client = await (await front((await serve(answering(OK))).url, body_bytes=1000)).connect()
        size = 2_000_000
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        assert (await client.answer()).status == 413

    async def test_a_client_that_never_finishes_is_told(self, serve, front):
        async def reading(service: Service, reader: Reader, _writer: Writer) -> None:
            await service.hear(reader)

        service = await serve(reading)
        client = await (await front(service.url, total_seconds=0.1)).connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 10\r\n\r\nhalf")
        assert (await client.answer()).status == 408
        await service.gone.wait()

    async def test_a_client_that_never_begins_is_told(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, total_seconds=0.1)).connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 10\r\n\r\n")
        assert (await client.answer()).status == 408
        assert service.connections == 0


class TestBackPressure:
    async def test_a_client_that_does_not_read_stops_the_service(self, serve, front):
        written = 0

        async def endless(service: Service, reader: Reader, writer: Writer) -> None:
            nonlocal written
            await service.hear(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while written < 200_000_000:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                try:
                    async with asyncio.timeout(0.5):
                        await writer.drain()
                except TimeoutError:
                    break
                written += 0x10000
            service.busy.set()
            await reader.read()

        service = await serve(endless)
        client = await (await front(service.url)).connect()
        client.writer.write(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
        await service.busy.wait()
        assert 0 < written < 50_000_000  # what the kernel's buffers of four sockets take, not the whole answer

    async def test_a_service_that_does_not_read_stops_the_client(self, serve, front):
        async def deaf(service: Service, reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()
            await service.proceed.wait()

        service = await serve(deaf)
        client = await (await front(service.url, body_bytes=200_000_000)).connect()
        client.writer.write(b"POST /thing HTTP/1.1\r\nhost: door\r\ncontent-length: 200000000\r\n\r\n")
        written = 0
        while written < 200_000_000:
            client.writer.write(b"x" * 0x10000)
            try:
                async with asyncio.timeout(0.5):
                    await client.writer.drain()
            except TimeoutError:
                break
            written += 0x10000
        assert 0 < written < 50_000_000
        service.proceed.set()
