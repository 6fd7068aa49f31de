"""The client in bad weather: a small server that is busy, breaks off, or is no gateway at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli.client import Gateway
from cli.failures import Failure, Refused, Unreachable

Answer = tuple[int, dict[str, str], bytes] | None
"""Status, headers, body; None breaks the connection off."""

BUSY: Answer = (503, {"Retry-After": "0", "Content-Type": "application/problem+json"}, b'{"type": "urn:x:unavailable"}')
GOOD: Answer = (200, {"Content-Type": "application/json"}, b'{"ok": true}')


class Weather:
    """Answers in order, the last one for ever; remembers what came."""

    def __init__(self, url: str, answers: list[Answer]) -> None:
        self.url = url
        self.answers = answers
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def weather() -> Iterator[Callable[..., Weather]]:
    servers: list[ThreadingHTTPServer] = []

    def begin(*answers: Answer) -> Weather:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                seen.requests.append((self.command, self.path, dict(self.headers)))
                given = seen.next_answer()
                if given is None:
                    self.close_connection = True
                    return
                status, headers, body = given
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of http.server

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        seen = Weather(f"http://127.0.0.1:{server.server_port}", list(answers))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return seen

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


Open = Callable[[str], Gateway]


@pytest.fixture
def gateway() -> Iterator[Open]:
    """Opens gateways that are closed again."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(Gateway(url, "kkb_x")))


class TestRepetition:
    def test_busy_is_asked_again(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(BUSY, BUSY, GOOD)
        assert gateway(seen.url).get("/villages") == {"ok": True}
        assert [path for _, path, _ in seen.requests] == ["/api/v1/villages"] * 3

    def test_a_post_is_sent_again_with_the_same_key(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(BUSY, GOOD)
        gateway(seen.url).post("/imports", {"year": 2025})
        keys = [headers["Idempotency-Key"] for _, _, headers in seen.requests]
        assert len(keys) == 2
        assert len(set(keys)) == 1
        gateway(seen.url).post("/imports", {"year": 2025})
        assert seen.requests[-1][2]["Idempotency-Key"] != keys[0]

    def test_a_broken_connection_is_tried_again(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(None, GOOD)
        assert gateway(seen.url).get("/me") == {"ok": True}

    def test_a_service_that_broke_off_is_asked_again(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather((502, {"Retry-After": "0"}, b"{}"), GOOD)
        assert gateway(seen.url).put("/imports/1/tables/a.csv", b"a", "text/csv") == {"ok": True}
        assert len(seen.requests) == 2

    def test_it_gives_up(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(BUSY)
        with pytest.raises(Refused, match="sedang tidak tersedia") as caught:
            gateway(seen.url).get("/villages")
        assert caught.value.status == 503
        assert len(seen.requests) == 5

    def test_other_refusals_are_final(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather((500, {"X-Request-Id": "nomor-1"}, b"oops"), GOOD)
        with pytest.raises(Refused, match="Nomor permintaan: nomor-1"):
            gateway(seen.url).get("/villages")
        assert len(seen.requests) == 1


class TestAnswers:
    def test_not_a_gateway(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather((200, {"Content-Type": "text/html"}, b"<html>"))
        with pytest.raises(Failure, match="bukan jawaban gateway"):
            gateway(seen.url).get("/villages")

    def test_a_problem_with_fields(self, weather: Callable[..., Weather], gateway: Open) -> None:
        body = b'{"type":"urn:kampungkb:problem:invalid","title":"T","detail":"D","errors":[{"pointer":"#/a","detail":"b"}]}'
        seen = weather((422, {"X-Request-Id": "r-1"}, body))
        with pytest.raises(Refused) as caught:
            gateway(seen.url).get("/villages")
        assert str(caught.value).splitlines() == [
            "Permintaan tidak sesuai ketentuan (422).",
            "  T",
            "  - #/a: b",
            "  Nomor permintaan: r-1",
        ]

    def test_an_absent_gateway_is_not_waited_for(self, gateway: Open) -> None:
        with pytest.raises(Unreachable):
            gateway("http://127.0.0.1:9").get("/villages")

    def test_the_key_goes_with_every_request(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(GOOD)
        gateway(seen.url).get("/villages", region="33.26", cursor=None)
        _, path, headers = seen.requests[0]
        assert headers["Authorization"] == "Bearer kkb_x"
        assert path == "/api/v1/villages?region=33.26"


class TestLists:
    def test_a_limit_beyond_a_page_reads_on(self, weather: Callable[..., Weather], gateway: Open) -> None:
        seen = weather(page(range(200), "lanjut"), page(range(200, 260), None))
        assert gateway(seen.url).items("/villages", 300, region="33") == (list(range(260)), False)
        assert [path for _, path, _ in seen.requests] == [
            "/api/v1/villages?region=33&limit=200",
            "/api/v1/villages?region=33&limit=200&cursor=lanjut",
        ]

    def test_one_more_is_asked_for_to_know_whether_there_is_more(
        self, weather: Callable[..., Weather], gateway: Open
    ) -> None:
        seen = weather(page(range(3), "lanjut"))
        assert gateway(seen.url).items("/villages", 2) == ([0, 1], True)
        assert [path for _, path, _ in seen.requests] == ["/api/v1/villages?limit=3"]


def page(items: Iterable[int], cursor: str | None) -> Answer:
    content = json.dumps({"items": list(items), "next_cursor": cursor}).encode()
    return 200, {"Content-Type": "application/json"}, content
