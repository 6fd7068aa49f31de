"""What the door adds to answers: security headers, permissions of other origins, notices of an end."""

from __future__ import annotations

import pytest

from gateway.proxy.dressing import notices_of
from gateway.settings import GatewaySettings
from tests.gateway.proxy.scene import OK, answering

PAGE = "https://kantor.example"
PREFLIGHT = ("access-control-request-method: PUT", "access-control-request-headers: x-api-key")


class TestSecurity:
    @pytest.mark.parametrize("path", ["/thing", "/nothing"], ids=["an answer", "a problem"])
    async def test_every_answer_has_them(self, serve, front, path):
        client = await (await front((await serve(answering(OK))).url)).connect()
        headers = (await client.ask("GET", path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers

    async def test_a_pages_own_policy_stays_and_nothing_is_said_twice(self, serve, front):
        page = (
            b"HTTP/1.1 200 OK\r\ncontent-security-policy: script-src 'self'\r\nX-Content-Type-Options: nosniff\r\n"
            b"content-length: 2\r\n\r\nok"
        )
        client = await (await front((await serve(answering(page))).url)).connect()
        await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
        head = (await client.reader.readuntil(b"\r\n\r\n")).lower()
        assert head.count(b"content-security-policy:") == head.count(b"x-content-type-options:") == 1
        assert b"script-src 'self'" in head

    async def test_https_only_is_said_over_https_only(self, serve, front):
        door = await front((await serve(answering(OK))).url, hsts_seconds=31536000, trusted="127.0.0.1")
        client = await door.connect()
        assert "strict-transport-security" not in (await client.ask("GET", "/thing")).headers
        answer = await client.ask("GET", "/thing", "x-forwarded-proto: https")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


class TestOtherOrigins:
    async def test_none_is_allowed_unless_named(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url)).connect()
        assert not [name for name in (await client.ask("GET", "/thing", f"origin: {PAGE}")).headers if "access" in name]
        assert (await client.ask("OPTIONS", "/thing", f"origin: {PAGE}", *PREFLIGHT)).status == 405

    async def test_a_named_one_may_and_is_told_what(self, serve, front):
        service = await serve(answering(OK))
        client = await (await front(service.url, origins=(PAGE,))).connect()
        answer = await client.ask("OPTIONS", "/thing/1", f"origin: {PAGE}", *PREFLIGHT)
        assert (answer.status, service.heard) == (204, [])
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-methods"] == "DELETE, GET, POST, PUT"
        assert "x-api-key" in answer.headers["access-control-allow-headers"]
        got = await client.ask("GET", "/thing", f"origin: {PAGE}")
        assert (got.status, got.headers["access-control-allow-origin"], got.headers["vary"]) == (200, PAGE, "Origin")
        assert "etag" in got.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in {**answer.headers, **got.headers}

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", f"{PAGE}.evil.example", "null", PAGE.upper(), f"{PAGE}:8443"]
    )
    async def test_another_one_may_not(self, serve, front, origin):
        client = await (await front((await serve(answering(OK))).url, origins=(PAGE,))).connect()
        preflight = await client.ask("OPTIONS", "/thing", f"origin: {origin}", *PREFLIGHT)
        got = await client.ask("GET", "/thing", f"origin: {origin}")
        assert not [name for name in {**preflight.headers, **got.headers} if name.startswith("access-control")]
        assert got.headers["vary"] == "Origin"

    async def test_all_may_without_being_told_apart(self, serve, front):
        client = await (await front((await serve(answering(OK))).url, origins=("*",))).connect()
        got = await client.ask("GET", "/thing", f"origin: {PAGE}")
        assert got.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in got.headers

    async def test_a_page_reads_why_it_was_refused(self, serve, front):
        client = await (await front((await serve(answering(OK))).url, origins=(PAGE,))).connect()
        answer = await client.ask("GET", "/nothing", f"origin: {PAGE}")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (404, PAGE)

    async def test_nothing_is_permitted_where_there_is_nothing(self, serve, front):
        client = await (await front((await serve(answering(OK))).url, origins=(PAGE,))).connect()
        assert (await client.ask("OPTIONS", "/nothing", f"origin: {PAGE}", *PREFLIGHT)).status == 404

    @pytest.mark.parametrize("text", ["kantor.example", "https://kantor.example/", "https://*.example", "null"])
    def test_a_setting_that_names_no_origin_is_refused(self, text):
        with pytest.raises(ValueError, match="cors_origins"):
            GatewaySettings(cors_origins=text)  # type: ignore[call-arg]  # the others are missing, too


class TestNotices:
    async def test_what_is_deprecated_says_so_in_every_answer(self, serve, front):
        operation = {
            "operationId": "old",
            "security": [{"key": ["villages:read"]}],
            "deprecated": True,
            "x-deprecated-on": "2026-01-01",
            "x-sunset-on": "2027-01-01",
            "x-deprecation-link": "https://example.org/new",
        }
        documents = {"thing": {"paths": {"/old": {"get": operation}}}}
        client = await (await front((await serve(answering(OK))).url, documents=documents)).connect()
        headers = (await client.ask("GET", "/old")).headers
        assert headers["deprecation"] == "@1767225600"
        assert headers["sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
        assert headers["link"] == '<https://example.org/new>; rel="deprecation"'
        assert "deprecation" not in (await client.ask("GET", "/thing")).headers

    @pytest.mark.parametrize("declared", [{"deprecated": True}, {"x-sunset-on": "2027-01-01"}])
    def test_half_a_notice_is_a_mistake_in_the_contract(self, declared):
        with pytest.raises(ValueError, match="deprecated"):
            notices_of(declared)
