"""One request to a service, its body streamed, to one replica after another where that changes nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Send

from gateway.metrics import RETRIES
from gateway.proxy.answering import send_on
from gateway.proxy.calls import Call, ForwardLimits
from gateway.proxy.connections import Exchange, Pool
from gateway.proxy.failures import (
    Busy,
    ClientGone,
    ClosedEarly,
    Draining,
    Stale,
    TookTooLong,
    Unreachable,
    UpstreamFailure,
)
from gateway.proxy.headers import IDENTITY, Headers, first, for_service
from gateway.proxy.replicas import Replica, Replicas
from gateway.proxy.routing import Operation
from kit.deadlines import REMAINING_HEADER
from kit.problems import Problem, RequestTimeout, TooLarge

WATCH_AFTER_SECONDS = 0.05
"""When to begin watching whether the client hangs up. Most answers are there before, and a watcher is a task,
which would cost them more than everything else the forwarder does."""

_JITTER_SECONDS = 0.02
"""Longest pause before a second replica is asked; what failed for many at once does not come back at once."""

_UNAVAILABLE = 503
_REMAINING = REMAINING_HEADER.encode()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}


@dataclass(slots=True)
class _Body:
    """A request's body: what has come of it, and how the rest is framed."""

    start: bytes = b""
    more: bool = False
    chunked: bool = False
    length: int = 0
    received: int = field(init=False)

    def __post_init__(self) -> None:
        self.received = len(self.start)

    def framed(self, data: bytes) -> bytes:
        """A part of the body as it goes over the wire."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data


class Forwarder:
    """Hands calls to services, each with replicas and connections of its own."""

    def __init__(self, services: Mapping[str, Replicas], limits: ForwardLimits) -> None:
        self.services = services
        self.limits = limits
        self._waiting: set[Exchange] = set()
        self._draining = False

    def drain(self) -> None:
        """Let nobody wait any longer for something to happen in a service: the process ends before that would."""
        self._draining = True
        for exchange in self._waiting:
            if not exchange.status:
                exchange.fail(Draining())

    def deadline(self) -> float:
        """Loop time at which a call that begins now is over."""
        return asyncio.get_running_loop().time() + self.limits.total_seconds

    async def hand_on(self, call: Call, receive: Receive, send: Send) -> None:
        """Carry one call to its service and the answer back.

        Raises:
            TooLarge, RequestTimeout: the client's fault, nothing was answered yet.
            UpstreamFailure: the service's fault, nothing was answered yet.
            ClientGone: there is nobody to answer.
        """
        assert call.operation is not None
        self._check_announced(call)
        body = _Body(more=True)
        try:
            async with asyncio.timeout_at(call.deadline):
                body = await self._begin_body(call, receive)
                await self._send(call, body, receive, send)
        except TimeoutError:
            _end(call, RequestTimeout() if body.more else TookTooLong())
        except (UpstreamFailure, TooLarge) as error:
            _end(call, error)

    async def whole_body(self, call: Call, receive: Receive) -> Receive:
        """Read the whole body within the limit, and return a receive that has it (for operations answered here).

        Raises:
            TooLarge, ClientGone: see there.
        """
        self._check_announced(call)
        parts: list[bytes] = []
        try:
            async with asyncio.timeout_at(call.deadline):
                while call.unread:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    parts.append(message.get("body", b""))
                    call.unread = message.get("more_body", False)
                    if sum(map(len, parts)) > call.most_bytes(self.limits):
                        raise _too_large(call, self.limits)
        except TimeoutError:
            raise RequestTimeout from None
        return _replaying(b"".join(parts), receive)

    def _check_announced(self, call: Call) -> None:
        announced = call.announced_length
        if announced and announced > call.most_bytes(self.limits):
            raise _too_large(call, self.limits)

    async def _begin_body(self, call: Call, receive: Receive) -> _Body:
        announced = call.announced_length
        if announced == 0:
            return _Body()
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        start, more = message.get("body", b""), message.get("more_body", False)
        if announced is None and len(start) > call.most_bytes(self.limits):
            raise _too_large(call, self.limits)
        if not more:
            call.unread = False
            return _Body(start, length=len(start))
        return _Body(start, more=True, chunked=announced is None, length=announced or 0)

    async def _send(self, call: Call, body: _Body, receive: Receive, send: Send) -> None:
        """Try replicas until one answers, each once: only what is not carried out twice by that is repeated."""
        assert call.operation is not None
        service = self.services[call.operation.service]
        service.budget.earn()
        tried: list[Replica] = []
        fresh = False
        while True:
            replica = service.choose(tried, asyncio.get_running_loop().time(), waits=call.operation.waits)
            attempt = _Attempt(call, body, service, replica, [*tried, replica])
            try:
                why = await self._attempt(attempt, receive, send, fresh=fresh)
            except Stale:
                if not _may_repeat(call, body):
                    raise
                fresh = True
                continue
            except UpstreamFailure as failure:
                why = attempt.repeatable(failure)
                if why is None:
                    raise
            if why is None:
                return
            RETRIES.labels(service.service, why).inc()
            tried.append(replica)
            await asyncio.sleep(random.uniform(0, _JITTER_SECONDS * len(tried)))  # noqa: S311 - nothing secret

    async def _attempt(self, attempt: _Attempt, receive: Receive, send: Send, *, fresh: bool) -> str | None:
        """One try with one replica; None when its answer went to the client, else why it is repeated elsewhere."""
        call, body, breaker = attempt.call, attempt.body, attempt.replica.breaker
        assert call.operation is not None
        breaker.begun()
        exchange: Exchange | None = None
        listener: _Listener | None = None
        try:
            exchange = await attempt.pool.begin(call.operation.method, fresh=fresh)
            listener = _Listener(call, receive, exchange, body, self.limits)
            exchange.write(_head(call, body, attempt.pool) + (body.framed(body.start) if body.start else b""))
            listener.start()
            await self._head(call.operation, exchange)
            breaker.succeeded()
            if exchange.status == _UNAVAILABLE and attempt.repeatable(None):
                return "unavailable"
            await send_on(call, exchange, self.limits, send)
        except (Busy, Draining):
            breaker.abandoned()
            raise
        except UpstreamFailure as failure:
            if exchange is not None and exchange.is_stale:
                breaker.abandoned()
                raise Stale from failure
            attempt.service.failed(attempt.replica, failure, asyncio.get_running_loop().time())
            raise
        except BaseException:
            breaker.abandoned()
            raise
        finally:
            if listener is not None:
                listener.stop()
            if exchange is not None:
                exchange.close()
        return None

    async def _head(self, operation: Operation, exchange: Exchange) -> None:
        if not operation.waits:
            await exchange.head()
            return
        if self._draining:
            raise Draining
        self._waiting.add(exchange)
        try:
            await exchange.head()
        finally:
            self._waiting.discard(exchange)


def _replaying(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return messages.pop() if messages else await receive()

    return replaying


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A call on its way to one replica."""

    call: Call
    body: _Body
    service: Replicas
    replica: Replica
    tried: list[Replica]
    """This one and those before it."""

    @property
    def pool(self) -> Pool:
        assert self.call.operation is not None
        return self.replica.pool_for(waits=self.call.operation.waits)

    def repeatable(self, failure: UpstreamFailure | None) -> str | None:
        """Why it may go to another replica, after a failure or (None) an answer 503; None where it may not.

        What could not be delivered was not carried out, whatever it was. A request that broke off, or was answered
        503 perhaps after its effect, goes a second time only where that changes nothing. Who was slow had his time.
        """
        if isinstance(failure, Unreachable):
            why = "connect"
        elif failure is None or isinstance(failure, ClosedEarly):
            if self.call.status or not _may_repeat(self.call, self.body):
                return None
            why = "unavailable" if failure is None else "closed"
        else:
            return None
        return why if self.service.may_repeat(self.tried, free=why == "connect") else None


class _Listener:
    """The client's side of an exchange: the rest of its body, and whether it hangs up."""

    def __init__(self, call: Call, receive: Receive, exchange: Exchange, body: _Body, limits: ForwardLimits) -> None:
        self._call = call
        self._receive = receive
        self._exchange = exchange
        self._body = body
        self._limits = limits
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._body.more:
            self._listen()
        else:
            self._exchange.request_sent()
            self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._listen)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _listen(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            if self._body.more:
                await self._pass_on_body()
                self._call.unread = False
                self._exchange.request_sent()
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self._exchange.fail(ClientGone())
        except Exception as error:  # noqa: BLE001 - whatever it is, who waits for the answer must hear of it
            self._exchange.fail(error)

    async def _pass_on_body(self) -> None:
        body = self._body
        while body.more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            data = message.get("body", b"")
            body.received += len(data)
            if body.received > self._call.most_bytes(self._limits):
                raise _too_large(self._call, self._limits)
            if data:
                self._exchange.write(body.framed(data))
            await self._exchange.drain()
            body.more = message.get("more_body", False)
        if body.chunked:
            self._exchange.write(b"0\r\n\r\n")


def _end(call: Call, error: Problem | UpstreamFailure) -> None:
    """Raise what went wrong; once the answer has begun, ending it short is the only way left to say so."""
    if isinstance(error, UpstreamFailure):
        call.failure = error.kind
    if not call.status:
        raise error


def _head(call: Call, body: _Body, pool: Pool) -> bytes:
    """Request line and headers as the service reads them."""
    assert call.operation is not None
    method = call.operation.method.encode()
    lines = [method, b" ", call.target, b" HTTP/1.1\r\nhost: ", pool.host_header, b"\r\n"]
    for name, value in for_service(call.headers):
        lines += (name, b": ", value, b"\r\n")
    for name, value in _from_the_door(call):
        lines += (name, b": ", value, b"\r\n")
    lines += (_REMAINING, b": %d\r\n" % _remaining(call, body, pool))
    if body.chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    elif body.length or call.operation.method not in _SAFE | {"DELETE"}:
        lines.append(b"content-length: %d\r\n" % body.length)
    lines.append(b"\r\n")
    return b"".join(lines)


def _remaining(call: Call, body: _Body, pool: Pool) -> int:
    """Milliseconds after which nobody waits for the answer any more."""
    left = call.deadline - asyncio.get_running_loop().time()
    if not body.more:
        left = min(left, pool.limits.first_byte_seconds)
    return max(int(left * 1000), 0)


def _from_the_door(call: Call) -> Headers:
    headers = [
        (b"x-request-id", call.request_id),
        (b"x-forwarded-for", call.client.encode()),
        (b"x-forwarded-proto", call.scheme.encode()),
        (b"x-forwarded-host", first(call.headers, b"host") or b""),
        *call.trace,
    ]
    if call.identity is not None:
        headers.append((IDENTITY, call.identity))
    return headers


def _may_repeat(call: Call, body: _Body) -> bool:
    """Whether sending the request again changes nothing (RFC 9110, 9.2.2; an `Idempotency-Key` says the same)."""
    assert call.operation is not None
    if body.more or body.chunked or body.received > len(body.start):
        return False  # part of it is gone already
    method = call.operation.method
    if method in _SAFE or (method in _IDEMPOTENT and not body.start):
        return True
    return call.operation.keyed and first(call.headers, b"idempotency-key") is not None


def _too_large(call: Call, limits: ForwardLimits) -> TooLarge:
    most = call.most_bytes(limits)
    return TooLarge(f"the largest request body is {most} bytes", limit=most)
