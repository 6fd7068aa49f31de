"""Answers of services, plain and odd, on their way to the client."""

from __future__ import annotations

import hashlib

import pytest

from tests.gateway.proxy.scene import OK, Reader, Service, Writer, answering, answering_once


class TestPlain:
    async def test_status_headers_and_body_arrive(self, serve, front):
        service = await serve(answering(b'HTTP/1.1 201 Created\r\nETag: "a"\r\ncontent-length: 5\r\n\r\nhello'))
        client = await (await front(service.url)).connect()
        answer = await client.ask("POST", "/thing", body=b"{}")
        assert (answer.status, answer.body, answer.headers["etag"]) == (201, b"hello", '"a"')

    async def test_path_and_query_arrive_as_written(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("GET", "/thing/a%20b%C3%A9?q=%2Fx&&y=1+2;z")
        assert service.heard[0].line == "GET /thing/a%20b%C3%A9?q=%2Fx&&y=1+2;z HTTP/1.1"

    async def test_request_body_arrives(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("PUT", "/thing/1", "content-type: application/json", body=b'{"a": 1}')
        assert service.heard[0].body == b'{"a": 1}'
        assert service.heard[0].one("content-length") == "8"
        assert service.heard[0].one("content-type") == "application/json"

    async def test_post_without_body_says_so(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("POST", "/thing")
        assert service.heard[0].one("content-length") == "0"

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    async def test_answers_without_body(self, serve, front, status):
        service = await serve(answering(f"HTTP/1.1 {status}\r\netag: x\r\n\r\n".encode()))
        client = await (await front(service.url)).connect()
        for _ in range(2):
            answer = await client.ask("GET", "/thing")
            assert answer.status == int(status[:3])
        assert service.connections == 1

    async def test_304_may_state_the_length_it_does_not_send(self, serve, front):
        service = await serve(answering(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\n\r\n"))
        client = await (await front(service.url)).connect()
        assert (await client.ask("GET", "/thing")).status == 304
        assert (await client.ask("GET", "/thing")).status == 304

    async def test_head_is_answered_from_get_where_it_is_not_declared(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        answer = await client.ask("HEAD", "/thing")
        assert (answer.status, answer.headers["content-length"]) == (200, "2")
        assert service.heard[0].line.startswith("GET ")
        assert (await client.ask("GET", "/thing")).body == b"ok"


class TestFraming:
    @pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
    async def test_interim_answers_are_skipped(self, serve, front, interim):
        service = await serve(answering(f"HTTP/1.1 {interim}\r\nlink: </a>\r\n\r\n".encode() + OK))
        client = await (await front(service.url)).connect()
        answer = await client.ask("GET", "/thing")
        assert (answer.status, answer.body) == (200, b"ok")
        assert "link" not in answer.headers

    async def test_chunked_with_trailer(self, serve, front):
        chunks = b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n"
        service = await serve(answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks))
        client = await (await front(service.url)).connect()
        for _ in range(2):
            answer = await client.ask("GET", "/thing")
            assert (answer.body, answer.complete) == (b"abcdefg", True)
        assert service.connections == 1

    async def test_body_until_close(self, serve, front):
        service = await serve(answering_once(b"HTTP/1.1 200 OK\r\n\r\nto the end"))
        client = await (await front(service.url)).connect()
        answer = await client.ask("GET", "/thing")
        assert (answer.body, answer.complete) == (b"to the end", True)

    async def test_http_1_0_is_not_kept(self, serve, front):
        service = await serve(answering_once(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"))
        client = await (await front(service.url)).connect()
        for expected in (1, 2):
            assert (await client.ask("GET", "/thing")).body == b"ok"
            assert service.connections == expected

    async def test_byte_by_byte(self, serve, front):
        async def dribble(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            for byte in OK:
                writer.write(bytes([byte]))
                await writer.drain()
            await reader.read()

        client = await (await front((await serve(dribble)).url)).connect()
        assert (await client.ask("GET", "/thing")).body == b"ok"


class TestHuge:
    async def test_both_ways(self, serve, front):
        piece, count = bytes(range(256)) * 256, 256  # 16 MiB

        async def echo_digest(service: Service, reader: Reader, writer: Writer) -> None:
            heard = await service.hear(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nx-digest: " + hashlib.sha256(heard.body).hexdigest().encode())
            writer.write(b"\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(count):
                writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await reader.read()

        whole = piece * count
        client = await (await front((await serve(echo_digest)).url, body_bytes=len(whole))).connect()
        answer = await client.ask("POST", "/thing", body=whole)
        assert answer.headers["x-digest"] == hashlib.sha256(whole).hexdigest()
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(whole).digest()
