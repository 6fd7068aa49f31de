"""What a stranger can write on the wire: addresses that two parsers read differently, headers in headers, heads without end."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.security.conftest import Open


async def raw(front: Open, data: bytes, *, seconds: float = 30) -> bytes:
    """Send bytes as they are; gives all that is answered until the door closes, or the first answer's head."""
    place = urlsplit(front.platform.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(seconds):
            return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def request(front: Open, target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    key = front.keys["admin"].encode()
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: door", b"Authorization: Bearer " + key, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1]) if answer else 0


class TestAddresses:
    @pytest.mark.parametrize(
        "target",
        [
            b"/api/v1/../v1/keys",
            b"/api/v1/villages/../keys",
            b"/api/v1/villages/%2e%2e/keys",
            b"/api/v1/villages/.%2e/keys",
            b"/api/v1/villages%2f..%2fkeys",
            b"/api/v1/villages/%2e%2e%2fkeys",
            b"/api/v1/villages/..%5ckeys",
            b"/api/v1/villages/..;/keys",
            b"/api/v1//keys",
            b"//api/v1/keys",
            b"/api/v1/keys/",
            b"/api/v1/keys%00",
            b"/api/v1/keys%00.json",
            b"/api/v1/keys%0d%0aX-Evil:1",
            b"/api/v1/keys%",
            b"/api/v1/keys%zz",
            b"/api/v1/keys%c0%ae",
            b"/api/v1/%252e%252e/keys",
            b"/api/v1/keys\\",
            b"/API/V1/KEYS",
            b"/api/v1/keys;jsessionid=1",
            b"/./api/v1/keys",
        ],
    )
    async def test_an_address_that_is_not_written_plainly_reaches_nothing(self, front: Open, target: bytes) -> None:
        answer = await raw(front, request(front, target))
        assert status(answer) in {400, 404, 422}, answer
        assert b"X-Evil" not in answer

    @pytest.mark.parametrize(
        "target", [b"http://other/api/v1/me", b"*", b"door:80", b"api/v1/me", b"/api/v1/me#x", b"/api/v1/me?a=\x01"]
    )
    async def test_a_target_of_another_form(self, front: Open, target: bytes) -> None:
        answer = await raw(front, request(front, target))
        assert status(answer) in {0, 200, 400, 404}, answer
        if status(answer) == 200:  # absolute-form is what RFC 9112, 3.2.2 asks servers to take
            assert target.startswith(b"http://") or b"#" in target


class TestHeaders:
    @pytest.mark.parametrize("value", [b"a\rb: c", b"a\nb: c", b"a\x00b"])
    async def test_a_header_in_a_header(self, front: Open, value: bytes) -> None:
        answer = await raw(front, request(front, b"/api/v1/me", b"X-Request-Id: " + value))
        assert status(answer) in {0, 200, 400}, answer
        assert b"\nb: c" not in answer

    async def test_what_comes_back_of_a_request_id_is_harmless(self, front: Open) -> None:
        for given in (b"<script>alert(1)</script>", b"a" * 5000, b"../../etc", b"%0d%0aSet-Cookie:a=b"):
            answer = await raw(front, request(front, b"/api/v1/me", b"X-Request-Id: " + given))
            assert status(answer) == 200
            assert given not in answer
            assert b"set-cookie" not in answer.lower()

    async def test_a_cursor_or_filter_never_becomes_a_header(self, front: Open) -> None:
        answer = await raw(front, request(front, b"/api/v1/villages?cursor=%0d%0aX-Evil:%201"))
        assert status(answer) == 422
        assert b"\r\nx-evil" not in answer.lower()

    async def test_many_headers(self, front: Open) -> None:
        many = [b"X-H%d: 1" % number for number in range(500)]
        assert status(await raw(front, request(front, b"/api/v1/me", *many))) in {0, 200, 400, 431}


class TestAfterwards:
    async def test_the_platform_still_answers(self, front: Open) -> None:
        """The last of this file."""
        assert (await front.ask("GET", "/api/v1/me", "reader")).status_code == 200
