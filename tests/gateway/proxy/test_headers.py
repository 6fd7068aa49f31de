"""Which headers pass the door, and which do not."""

from __future__ import annotations

import re

import pytest

from gateway.proxy.headers import request_id, trace
from tests.gateway.proxy.scene import OK, answering

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class TestTowardsTheService:
    async def test_only_the_door_says_who_calls(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("GET", "/thing", "x-kkb-identity: forged", "X-KKB-Identity: forged too")
        assert service.heard[0].all("x-kkb-identity") == ["signed"]

    async def test_keys_and_cookies_end_at_the_door(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("GET", "/thing", "authorization: Bearer kkb_a_b", "x-api-key: kkb_a_b", "cookie: a=b")
        heard = service.heard[0]
        assert not [*heard.all("authorization"), *heard.all("x-api-key"), *heard.all("cookie")]

    async def test_addresses_are_the_ones_the_door_saw(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        forged = [
            "x-forwarded-for: 8.8.8.8",
            "x-forwarded-proto: https",
            "x-forwarded-host: evil",
            "x-forwarded-user: root",
            "forwarded: for=8.8.8.8",
            "x-real-ip: 8.8.8.8",
        ]
        await client.ask("GET", "/thing", *forged)
        heard = service.heard[0]
        assert heard.one("x-forwarded-for") == "127.0.0.1"
        assert heard.one("x-forwarded-proto") == "http"
        assert heard.one("x-forwarded-host") == "door"
        assert heard.one("host") == service.url.removeprefix("http://")
        assert not [*heard.all("x-forwarded-user"), *heard.all("forwarded"), *heard.all("x-real-ip")]

    async def test_addresses_are_the_ones_a_trusted_proxy_saw(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url, trusted="127.0.0.0/8")
        client = await door.connect()
        forged = ["x-forwarded-for: 8.8.8.8", "x-real-ip: 8.8.8.8", "forwarded: for=8.8.8.8"]
        told = ["x-forwarded-for: 203.0.113.9, 127.0.0.2", "x-forwarded-proto: https", "x-forwarded-host: evil"]
        await client.ask("GET", "/thing", *forged, *told)
        heard = service.heard[0]
        assert heard.one("x-forwarded-for") == door.calls[0].client == "203.0.113.9"
        assert (heard.one("x-forwarded-proto"), heard.one("x-forwarded-host")) == ("https", "door")
        assert not [*heard.all("forwarded"), *heard.all("x-real-ip")]

    async def test_hop_by_hop_headers_stay(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        hop = ["connection: keep-alive, X-Mine", "keep-alive: 5", "te: trailers", "x-mine: 1", "proxy-authorization: x"]
        await client.ask("GET", "/thing", *hop, "x-other: 2")
        names = {name for name, _ in service.heard[0].headers}
        assert "x-other" in names
        assert not names & {"connection", "keep-alive", "te", "x-mine", "proxy-authorization"}

    async def test_connection_cannot_name_the_identity_away(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("GET", "/thing", "connection: x-kkb-identity, x-request-id, content-length")
        assert service.heard[0].one("x-kkb-identity") == "signed"
        assert service.heard[0].one("x-request-id")

    async def test_conditional_and_idempotency_headers_pass(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("POST", "/thing", 'If-Match: "3"', "Idempotency-Key: abc", "Accept-Language: id")
        heard = service.heard[0]
        assert (heard.one("if-match"), heard.one("idempotency-key"), heard.one("accept-language")) == (
            '"3"',
            "abc",
            "id",
        )


class TestTowardsTheClient:
    async def test_what_a_service_runs_on_stays_inside(self, serve, front):
        answer = (
            b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\nkeep-alive: timeout=5\r\nconnection: x-inner\r\n"
            b"x-inner: 1\r\nx-kkb-identity: token\r\nx-request-id: inner-one\r\netag: x\r\ncontent-length: 2\r\n\r\nok"
        )
        client = await (await front((await serve(answering(answer))).url)).connect()
        got = await client.ask("GET", "/thing", "x-request-id: mine-0001")
        assert not got.headers.keys() & {"server", "keep-alive", "connection", "x-inner", "x-kkb-identity"}
        assert (got.headers["etag"], got.headers["x-request-id"]) == ("x", "mine-0001")

    async def test_repeated_headers_stay_repeated(self, serve, front):
        answer = b"HTTP/1.1 200 OK\r\nlink: </a>\r\nlink: </b>\r\ncontent-length: 2\r\n\r\nok"
        client = await (await front((await serve(answering(answer))).url)).connect()
        await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.count(b"link: ") == 2


class TestRegion:
    """Which region a request touched is between service and gateway."""

    async def test_it_ends_at_the_door(self, serve, front):
        service = await serve(answering(b"HTTP/1.1 200 OK\r\nx-kkb-region: 83.01\r\ncontent-length: 2\r\n\r\nok"))
        door = await front(service.url)
        client = await door.connect()
        answer = await client.ask("GET", "/thing", "x-kkb-region: 11")
        assert (answer.status, "x-kkb-region" in answer.headers) == (200, False)
        assert service.heard[0].all("x-kkb-region") == []
        await door.until_calls(1)
        assert door.calls[0].region == "83.01"


class TestRequestId:
    @pytest.mark.parametrize("given", ["a-b_c.d1", "x" * 64])
    async def test_a_plain_one_is_kept(self, serve, front, given):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        answer = await client.ask("GET", "/thing", f"x-request-id: {given}")
        assert answer.headers["x-request-id"] == service.heard[0].one("x-request-id") == given

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with blank inside", "semi;colon;", "ümläutige"])
    async def test_another_one_is_replaced(self, serve, front, given):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        answer = await client.ask("GET", "/thing", f"x-request-id: {given}")
        assert answer.headers["x-request-id"] == service.heard[0].one("x-request-id")
        assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-request-id"])

    async def test_problems_carry_it_too(self, serve, front):
        client = await (await front((await serve(answering(OK))).url)).connect()
        answer = await client.ask("GET", "/nothing", "x-request-id: mine-0001")
        assert (answer.status, answer.headers["x-request-id"]) == (404, "mine-0001")

    def test_two_made_ones_differ(self):
        assert request_id([]) != request_id([])


class TestTrace:
    @pytest.mark.parametrize("given", [PARENT, PARENT[:-2] + "00"])
    def test_a_good_one_is_passed_on_with_its_state(self, given):
        assert trace([(b"traceparent", given.encode()), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")]) == [
            (b"traceparent", given.encode()),
            (b"tracestate", b"a=1"),
            (b"tracestate", b"b=2"),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "ff" + PARENT[2:],
            PARENT + "-more",
            PARENT.upper(),
            PARENT[:-1],
            "00-" + "0" * 32 + PARENT[35:],
            PARENT[:36] + "0" * 16 + "-01",
            PARENT + "\t",
        ],
    )
    def test_a_bad_one_is_replaced_and_its_state_dropped(self, given):
        ((name, value),) = trace([(b"traceparent", given.encode()), (b"tracestate", b"a=1")])
        assert name == b"traceparent"
        assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", value)
        assert value != given.encode()

    def test_two_are_as_bad_as_none(self):
        assert len(trace([(b"traceparent", PARENT.encode()), (b"traceparent", PARENT.encode())])) == 1

    async def test_the_service_gets_one(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        await client.ask("GET", "/thing")
        await client.ask("GET", "/thing", f"traceparent: {PARENT}")
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", service.heard[0].one("traceparent"))
        assert service.heard[1].one("traceparent") == PARENT
