"""What happens around every request: its id, its trace, its metrics, its log line, and a problem for a defect of ours."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import API, deadlines, logs, metrics, touched
from kit.ids import uuid7_text
from kit.ops import Health
from kit.problems import InternalProblem, Unavailable, is_database_away, problem_response

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NO_ROUTE = "(none)"
_REGION = touched.REGION_HEADER.encode()
READY_PATH = "/readyz"
"""Where a service says on its API's port, to whoever shares out requests, whether it is ready; not in its contract."""

log = logging.getLogger(__name__)


def request_id_of(given: str | None) -> str:
    """The client's request id if it is well-formed, else a new one."""
    return given if given and _REQUEST_ID.fullmatch(given) else uuid7_text()


def traceparent_of(given: str | None) -> str:
    """The client's W3C trace if it is well-formed, else a new one."""
    if given and _TRACEPARENT.fullmatch(given):
        return given
    return f"00-{os.urandom(15).hex()}01-{os.urandom(7).hex()}01-01"


class Observed:
    """ASGI middleware around a service."""

    def __init__(self, app: ASGIApp, health: Health | None = None) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, counted and logged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._health is not None and scope["path"] == READY_PATH:
            await _say_ready(self._health, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        deadlines.begin(headers.get(deadlines.REMAINING_HEADER.encode()))
        touched.begin()
        request_id = request_id_of(headers.get(b"x-request-id"))
        logs.request_id.set(request_id)
        logs.traceparent.set(traceparent_of(headers.get(b"traceparent")))
        started = time.perf_counter()
        answer = _Answer(send, request_id, closing=self._health is not None and self._health.draining)
        with metrics.IN_FLIGHT.track_inprogress():
            try:
                if deadlines.is_over():
                    refusal = problem_response(Unavailable(deadlines.OVER), scope["path"])
                    await refusal(scope, receive, answer.send)
                else:
                    await self._app(scope, receive, answer.send)
            except Exception as error:  # noqa: BLE001 - the last line of defence, logged with its trace
                await _answer_defect(error, answer, scope, receive)
        _record(scope, answer.status, time.perf_counter() - started)


class _Answer:
    """Passes the answer on and remembers its status."""

    def __init__(self, send: Send, request_id: str, *, closing: bool) -> None:
        self._send = send
        self._added = [(b"x-request-id", request_id.encode("latin-1"))]
        if closing:
            # a process that ends uses up its connections: what came on one just as it closes would be lost
            self._added.append((b"connection", b"close"))
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._added, *_touched()]
        await self._send(message)


def _touched() -> Iterator[tuple[bytes, bytes]]:
    """What the gateway is told of the regions that the request touched."""
    region = touched.region()
    if region is not None:
        yield _REGION, region.encode()


async def _say_ready(health: Health, send: Send) -> None:
    """Neither counted nor logged: it is asked every second or two."""
    status = 200 if await health.is_ready() else 503
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _answer_defect(error: Exception, answer: _Answer, scope: Scope, receive: Receive) -> None:
    away = is_database_away(error)
    log.log(logging.WARNING if away else logging.ERROR, "request failed", exc_info=error)
    if answer.status == 0:
        problem = Unavailable("the database does not answer") if away else InternalProblem()
        await problem_response(problem, scope["path"])(scope, receive, answer.send)


def _record(scope: Scope, status: int, seconds: float) -> None:
    method, route = scope["method"], route_template(scope)
    requests, latency = metrics.of_requests(method, route, str(status))
    requests.inc()
    latency.observe(seconds)
    logs.log_request(
        {"method": method, "route": route, "status": status, "milliseconds": round(seconds * 1000, 1)},
    )


def route_template(scope: Scope) -> str:
    """The route's template, so that metrics have few labels and logs hold no identifiers."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return _NO_ROUTE
    # an included router's routes do not know the prefix they are included with
    return str(path) if path.startswith(API) else f"{API}{path}"
