"""Little services that misbehave on purpose, a door in front of them, and a client that speaks raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.door import Door
from gateway.limits.buckets import Quota
from gateway.limits.charging import Limits
from gateway.limits.classes import LimitClass
from gateway.proxy.breaker import BreakerLimits
from gateway.proxy.calls import Call
from gateway.proxy.connections import Pool, PoolLimits
from gateway.proxy.forwarding import Forwarder
from gateway.proxy.replicas import Replica, ReplicaLimits, Replicas
from gateway.proxy.routing import Operation, RoutingTable
from kit.access import Scope

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass
class Heard:
    """A request as a service read it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


async def read_head(reader: Reader) -> tuple[str, list[tuple[str, str]]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip("\r\n").split("\r\n")
    return line, [(name.lower(), value) for name, value in (row.split(": ", 1) for row in rest)]


async def read_body(reader: Reader, headers: list[tuple[str, str]]) -> bytes:
    names = dict(headers)
    if names.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(parts)
    return await reader.readexactly(int(names.get("content-length", "0")))


async def hear(reader: Reader) -> Heard:
    """Read one request."""
    line, headers = await read_head(reader)
    return Heard(line, headers, await read_body(reader, headers))


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Service:
    """A TCP server that treats each connection as its script says."""

    script: Callable[[Service, Reader, Writer], Awaitable[None]]
    port: int = 0
    connections: int = 0
    heard: list[Heard] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the door closed a connection."""
    busy: asyncio.Event = field(default_factory=asyncio.Event)
    """For a script to say that it got somewhere."""
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    """For a test to let a script go on."""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.transport.abort()

    async def hear(self, reader: Reader) -> Heard:
        heard = await hear(reader)
        self.heard.append(heard)
        return heard


def answering(answer: bytes) -> Callable[[Service, Reader, Writer], Awaitable[None]]:
    """A script that gives every request the same answer and keeps the connection."""

    async def script(service: Service, reader: Reader, writer: Writer) -> None:
        while True:
            await service.hear(reader)
            writer.write(answer)
            await writer.drain()

    return script


def answering_once(answer: bytes) -> Callable[[Service, Reader, Writer], Awaitable[None]]:
    """A script that answers the first request of a connection and closes it then."""

    async def script(service: Service, reader: Reader, writer: Writer) -> None:
        await service.hear(reader)
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return script


@dataclass
class Answer:
    """What the raw client read."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


@dataclass
class RawClient:
    """One connection to the door."""

    reader: Reader
    writer: Writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "host: door", *headers]
        if body:
            lines.append(f"content-length: {len(body)}")
        await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return await self.answer(method)

    async def answer(self, method: str = "GET") -> Answer:
        line, headers = await read_head(self.reader)
        names = dict(headers)
        status = int(line.split(" ")[1])
        if method == "HEAD" or status in {204, 304}:
            return Answer(status, names, b"", complete=True)
        try:
            return Answer(status, names, await read_body(self.reader, headers), complete=True)
        except (asyncio.IncompleteReadError, ValueError):
            return Answer(status, names, b"", complete=False)

    async def eof(self) -> bytes:
        return await self.reader.read()


@dataclass
class Front:
    """A door under test."""

    door: Door
    forwarder: Forwarder
    port: int
    calls: list[Call]
    clients: list[RawClient] = field(default_factory=list)

    @property
    def pools(self) -> Mapping[str, Pool]:
        return {name: service.all[0].pool for name, service in self.forwarder.services.items()}

    async def connect(self) -> RawClient:
        self.clients.append(RawClient(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def until_calls(self, count: int) -> None:
        """Wait until the door is done with so many calls."""
        while len(self.calls) < count:
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        for service in self.forwarder.services.values():
            service.close()
        for client in self.clients:
            client.writer.transport.abort()


class Letting:
    """An admission that lets everybody in, as the same caller."""

    async def __call__(self, call: Call, operation: Operation) -> None:
        call.identity, call.caller_id = b"signed", "caller"


class RecordingNothing:
    """An audit trail that nobody keeps."""

    begins: frozenset[str] = frozenset()

    async def begin(self, call: Call) -> None:
        raise AssertionError("nothing begins here")

    def note(self, call: Call) -> None:
        pass


def table_for(*services: str, documents: Mapping[str, Any] | None = None) -> RoutingTable:
    """Every service answers /NAME and /NAME/{thing} to four methods, and GET /NAME/waiting, which may wait; POST takes a key."""
    table = RoutingTable()
    for service, document in (documents or {}).items():
        table.add_document(service, document)
    for service in services:
        for template in (f"/{service}", f"/{service}/{{thing}}"):
            for method in METHODS:
                table.add(
                    Operation(
                        service, method, template, f"{method}{template}", (Scope.VILLAGES_READ,), keyed=method == "POST"
                    )
                )
        table.add(Operation(service, "GET", f"/{service}/waiting", "wait", (Scope.VILLAGES_READ,), waits=True))
    return table


def plenty() -> Limits:
    """Limits that nobody reaches."""
    return Limits(dict.fromkeys(LimitClass, Quota(1_000_000, 60)), Quota(1_000_000, 60))


def replicas_of(service: str, urls: list[str], retry_share: float, limits: Mapping[str, float]) -> Replicas:
    """A service's replicas, which are not watched unless the test does it."""
    pool = PoolLimits.model_validate(limits)
    breaker = BreakerLimits(open_seconds=0.05, longest_seconds=0.2)
    replicas = [Replica(url, pool, pool, breaker) for url in urls]
    return Replicas(service, replicas, ReplicaLimits(probe_seconds=0.02, retry_share=retry_share, retry_reserve=2))


async def no_application(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("nothing of these tests is answered by the gateway itself")
