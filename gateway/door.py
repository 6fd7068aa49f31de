"""The gateway as one ASGI application: find the operation, let the caller in, hand the request on."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.limits.ceiling import TOO_MUCH, Ceiling
from gateway.limits.charging import Limits
from gateway.proxy.calls import Call
from gateway.proxy.dressing import Dressing, dressed
from gateway.proxy.failures import ClientGone, TookTooLong, UpstreamFailure
from gateway.proxy.forwarding import Forwarder
from gateway.proxy.headers import IDENTITY, Headers, for_service, request_id, trace
from gateway.proxy.origin import Origin
from gateway.proxy.routing import Operation, RoutingTable
from gateway.service import SERVICE
from kit import deadlines, logs, metrics, touched
from kit.problems import (
    BadPath,
    InternalProblem,
    Problem,
    Unauthenticated,
    Unavailable,
    is_database_away,
    problem_response,
)

_QUERY = re.compile(rb"[!-~]*")
_UNREAD_BODY_IGNORED = 64 * 1024
_LINGER_SECONDS = 2.0

log = logging.getLogger(__name__)


class Admission(Protocol):
    """Who calls, and may he?"""

    async def __call__(self, call: Call, operation: Operation) -> None:
        """Set the call's identity and caller_id.

        Raises:
            Unauthenticated: no key, or one that is not valid.
            Forbidden: the caller's roles do not allow the operation.
        """


class Recording(Protocol):
    """What is kept of requests for those who ask later who did what."""

    begins: frozenset[str]
    """Operations whose requests are recorded before they are carried out."""

    async def begin(self, call: Call) -> None:
        """Record that a request is let through.

        Raises:
            Unavailable: that is not possible just now, so nothing may be carried out.
        """

    def note(self, call: Call) -> None:
        """Record a request that is over."""


class Door:
    """Raw ASGI: what is here runs for every request, so there is little of it."""

    def __init__(
        self,
        *,
        table: RoutingTable,
        forwarder: Forwarder,
        own: ASGIApp,
        admit: Admission,
        origin: Origin,
        limits: Limits,
        ceiling: Ceiling,
        dressing: Dressing,
        recorder: Recording,
        observe: Callable[[Call, float], None],
    ) -> None:
        self._table = table
        self._forwarder = forwarder
        self._own = own
        self._admit = admit
        self._origin = origin
        self._limits = limits
        self._ceiling = ceiling
        self._dressing = dressing
        self._recorder = recorder
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event of the server."""
        if scope["type"] == "lifespan":
            await self._own(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        call = _call(scope, self._origin, self._forwarder.deadline())
        deadlines.begin_with(self._forwarder.limits.total_seconds)
        call.added += self._dressing.headers(call.headers, call.scheme)
        logs.request_id.set(call.request_id.decode())
        logs.traceparent.set(call.trace[0][1].decode())
        metrics.IN_FLIGHT.inc()
        begun = self._ceiling.begin()
        try:
            if not begun:
                raise Unavailable(TOO_MUCH)  # noqa: TRY301 - answered as every problem is
            await self._carry_out(call, scope, receive, send, started)
        except ClientGone:
            call.failure = "client_gone"
        except UpstreamFailure as failure:
            assert call.operation is not None
            await _refuse(call, failure.as_problem(call.operation.service), scope, receive, send)
        except Problem as problem:
            await _refuse(call, problem, scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the last line of defence, logged with its trace
            await _refuse_defect(call, error, scope, receive, send)
        finally:
            metrics.IN_FLIGHT.dec()
            if begun:
                self._ceiling.finish()
            self._observe(call, loop.time() - started)
            self._recorder.note(call)

    async def _carry_out(self, call: Call, scope: Scope, receive: Receive, send: Send, now: float) -> None:
        if not _QUERY.fullmatch(scope["query_string"]):
            raise BadPath("the query is not written plainly")
        path = scope["raw_path"].decode("latin-1")
        if self._dressing.is_preflight(call.method, call.headers):
            await _permit(call, self._dressing.preflight(call.headers, self._table.methods(path)), send)
            return
        operation = self._table.find(call.method, path)
        call.operation = operation
        if operation.notices:
            call.added += operation.notices
        await self._let_in(call, operation, now)
        if operation.shape is not None:
            operation.shape.check(path, scope["query_string"], call.media_type)
        if operation.operation_id in self._recorder.begins:
            await self._recorder.begin(call)
        if operation.service == SERVICE.name:
            await self._answer_here(call, scope, receive, send)
        else:
            await self._forwarder.hand_on(call, receive, send)

    async def _let_in(self, call: Call, operation: Operation, now: float) -> None:
        """Find out who calls, and charge the request to him, or to his address where he need not say."""
        if not operation.scopes:
            call.added += self._limits.charge_stranger(call.client, operation.limit, now)
            return
        self._limits.admit_credentials(call.client, call.headers, now)
        try:
            await self._admit(call, operation)
        except Unauthenticated:
            self._limits.refused(call.client, now)
            raise
        assert call.caller_id is not None
        self._limits.accepted(call.headers)
        call.added += self._limits.charge_caller(call.caller_id, operation.limit, now)

    async def _answer_here(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        """An operation of the gateway's own: its application sees what a service would see, and has no more time."""
        assert call.operation is not None
        headers = [*for_service(call.headers), (b"x-request-id", call.request_id), *call.trace]
        headers += [(name, value) for name, value in call.headers if name in {b"host", b"content-length"}]
        if call.identity is not None:
            headers.append((IDENTITY, call.identity))
        seen = {"client": (call.client, 0), "scheme": call.scheme, "call": call}
        inner = {**scope, **seen, "headers": headers, "method": call.operation.method}
        replaying = await self._forwarder.whole_body(call, receive)
        deadlines.narrow(self._forwarder.limits.own_seconds)
        touched.begin()
        try:
            async with asyncio.timeout_at(call.deadline) as limit:
                await self._own(inner, replaying, _marked(call, send))
        except TimeoutError:
            if not limit.expired():
                raise
            call.failure = TookTooLong.kind
            if not call.status:  # once it has begun, ending the answer short is the only way left to say so
                raise TookTooLong from None
        finally:
            call.region = touched.region()


def _call(scope: Scope, origin: Origin, deadline: float) -> Call:
    headers = scope["headers"]
    target = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    peer = scope["client"][0] if scope["client"] else ""
    return Call(
        method=scope["method"],
        target=target,
        headers=headers,
        client=origin.address(peer, headers),
        scheme=origin.scheme(peer, headers, scope["scheme"]),
        request_id=request_id(headers),
        trace=trace(headers),
        deadline=deadline,
    )


def _marked(call: Call, send: Send) -> Send:
    """A send that notes the answer on the call and adds the door's own headers."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.status = message["status"]
            message = {**message, "headers": dressed(message["headers"], call.added)}
        else:
            call.sent += len(message.get("body", b""))
        await send(message)

    return marked


async def _permit(call: Call, headers: Headers, send: Send) -> None:
    """Answer a preflight."""
    call.status = 204
    headers = [*headers, (b"x-request-id", call.request_id)]
    await send({"type": "http.response.start", "status": call.status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _refuse_defect(call: Call, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    away = is_database_away(error)
    log.log(logging.WARNING if away else logging.ERROR, "request failed", exc_info=error)
    if not call.status:
        problem = Unavailable("the database does not answer") if away else InternalProblem()
        await _refuse(call, problem, scope, receive, send)


async def _refuse(call: Call, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem document.

    A large body still on its way is read for a moment and thrown away: closing on it at once would reset the
    connection, and the client would never see why.
    """
    response = problem_response(problem, scope["path"])
    announced = call.announced_length
    if not call.unread or (announced is not None and announced <= _UNREAD_BODY_IGNORED):
        await response(scope, receive, _marked(call, send))
        return
    marked = _marked(call, send)
    headers = [*response.raw_headers, (b"connection", b"close")]
    await marked({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await marked({"type": "http.response.body", "body": response.body, "more_body": True})
    await _discard_rest(receive)
    await marked({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard_rest(receive: Receive) -> None:
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return
