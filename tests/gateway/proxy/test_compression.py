"""Answers that are compressed, and those that must not be."""

from __future__ import annotations

import gzip

import pytest

from gateway.metrics import COMPRESSED
from gateway.proxy.compression import accepts_gzip
from tests.gateway.proxy.scene import Reader, Service, Writer, answering

TEXT = b'{"name": "Kampung KB"}' * 200


def answer(*headers: bytes, body: bytes = TEXT, status: bytes = b"200 OK", length: bool = True) -> bytes:
    framing = b"content-length: %d\r\n" % len(body) if length else b""
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(one + b"\r\n" for one in headers) + framing + b"\r\n" + body


JSON = b"content-type: application/json"
GZIP = "accept-encoding: br, gzip"


class TestCompressed:
    @pytest.mark.parametrize(
        "kind", ["application/json", "application/problem+json", "text/csv; charset=utf-8", "text/html"]
    )
    async def test_what_shrinks_for_who_reads_it(self, serve, front, kind):
        service = await serve(answering(answer(b"content-type: " + kind.encode(), b'etag: "3"')))
        client = await (await front(service.url)).connect()
        before = COMPRESSED._value.get()
        got = await client.ask("GET", "/thing", GZIP)
        assert (got.headers["content-encoding"], got.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert gzip.decompress(got.body) == TEXT
        assert int(got.headers["content-length"]) == len(got.body) < len(TEXT) / 10
        assert got.headers["etag"] == '"3-gzip"'
        assert COMPRESSED._value.get() == before + 1

    async def test_a_large_one_as_it_comes(self, serve, front):
        large = TEXT * 200
        service = await serve(answering(answer(JSON, body=large)))
        client = await (await front(service.url)).connect()
        got = await client.ask("GET", "/thing", GZIP)
        assert (got.headers["content-encoding"], gzip.decompress(got.body)) == ("gzip", large)
        plain = await client.ask("GET", "/thing")
        assert (plain.body, plain.headers["vary"]) == (large, "Accept-Encoding")

    async def test_tags_of_compressed_answers_are_good_for_conditions(self, serve, front):
        service = await serve(answering(b'HTTP/1.1 304 Not Modified\r\netag: "3"\r\n\r\n'))
        client = await (await front(service.url)).connect()
        got = await client.ask("GET", "/thing", GZIP, 'if-none-match: "2-gzip", "3-gzip"')
        assert (got.status, got.headers["etag"]) == (304, '"3-gzip"')
        assert "content-encoding" not in got.headers
        await client.ask("PUT", "/thing", 'if-match: "3-gzip"')
        assert service.heard[0].one("if-none-match") == '"2", "3"'
        assert service.heard[1].one("if-match") == '"3"'

    async def test_304_without_is_passed_through(self, serve, front):
        service = await serve(answering(b'HTTP/1.1 304 Not Modified\r\netag: "3"\r\n\r\n'))
        client = await (await front(service.url)).connect()
        got = await client.ask("GET", "/thing", GZIP, 'if-none-match: "3"')
        assert (got.status, got.headers["etag"]) == (304, '"3"')

    async def test_a_weak_tag_is_the_same_for_both_forms(self, serve, front):
        service = await serve(answering(answer(JSON, b'etag: W/"3"')))
        client = await (await front(service.url)).connect()
        assert (await client.ask("GET", "/thing", GZIP)).headers["etag"] == 'W/"3"'


class TestLeftAlone:
    @pytest.mark.parametrize(
        "given",
        [
            answer(JSON, body=b"{}" * 100),
            answer(JSON, b"content-encoding: br"),
            answer(JSON, b"cache-control: no-store"),
            answer(JSON, b"cache-control: public, no-transform"),
            answer(b"content-type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            answer(b"content-type: image/png"),
            answer(JSON, status=b"206 Partial Content"),
        ],
        ids=["small", "compressed already", "secret", "not to be changed", "xlsx", "png", "a part"],
    )
    async def test_by_what_it_is(self, serve, front, given):
        client = await (await front((await serve(answering(given))).url)).connect()
        got = await client.ask("GET", "/thing", GZIP)
        assert got.headers.get("content-encoding", "br") == "br"
        assert got.body == given.partition(b"\r\n\r\n")[2]

    async def test_what_comes_bit_by_bit_is_not_held_back(self, serve, front):
        async def slowly(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
            )
            await service.proceed.wait()
            writer.write(b"0\r\n\r\n")
            await writer.drain()

        service = await serve(slowly)
        client = await (await front(service.url)).connect()
        await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\naccept-encoding: gzip\r\n\r\n")
        assert (await client.reader.readuntil(b"first")).startswith(b"HTTP/1.1 200")
        service.proceed.set()

    async def test_head_says_what_plain_get_would(self, serve, front):
        service = await serve(answering(answer(JSON, body=b"").replace(b"length: 0", b"length: 5000")))
        client = await (await front(service.url)).connect()
        got = await client.ask("HEAD", "/thing", GZIP)
        assert (got.headers["content-length"], got.headers["vary"]) == ("5000", "Accept-Encoding")

    @pytest.mark.parametrize(
        ("value", "accepted"),
        [
            (b"gzip", True),
            (b"br;q=1, GZIP;q=0.5", True),
            (b"*", True),
            (b"gzip;q=0", False),
            (b"gzip; q=0.000", False),
            (b"identity", False),
            (b"br, deflate", False),
            (b"", False),
        ],
    )
    def test_by_what_the_client_reads(self, value, accepted):
        assert accepts_gzip([(b"accept-encoding", value)]) is accepted
