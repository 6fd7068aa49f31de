"""Receivers of webhooks on a real port, and a gateway before the real registry that sends to them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from kit.observe import Observed
from kit.openapi import contract
from kit.process import contract_application
from services.registry.service import SERVICE
from tests.callers import caller
from tests.conftest import app_of, eventually
from tests.gateway.conftest import Running, StartGateway, listening

OK = (200, {}, b"")


@dataclass
class Taken:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    def signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is this secret's, computed as the specification has it."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        own = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return own in self.headers["webhook-signature"].split()


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Place:
    """One path of the receiver: what came, and what it answers."""

    url: str
    taken: list[Taken] = field(default_factory=list)
    answers: Callable[[Taken], Answer | Awaitable[Answer]] = lambda _taken: OK

    @property
    def names(self) -> list[str]:
        """Names of the villages that events told of, in the order in which they came."""
        return [one.event["data"].get("name") for one in self.taken]

    async def has(self, number: int) -> list[Taken]:
        async def there() -> bool:
            return len(self.taken) >= number

        await eventually(there)
        return self.taken


class Receiver:
    """A small HTTP/1.1 server that does what a test says."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.cookies: list[str] = []
        self._places: dict[str, Place] = {}
        self._numbers = count()

    def place(self) -> Place:
        path = f"/{next(self._numbers)}"
        self._places[path] = Place(f"http://127.0.0.1:{self.port}{path}")
        return self._places[path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        place = self._places[head[0].split()[1].partition("?")[0]]
        taken = Taken(headers, body)
        place.taken.append(taken)
        answer = place.answers(taken)
        status, extra, content = answer if isinstance(answer, tuple) else await answer
        lines = [f"HTTP/1.1 {status} x", f"content-length: {len(content)}", *(f"{k}: {v}" for k, v in extra.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + content)
        await writer.drain()
        return True


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@dataclass
class Scene:
    """A gateway that sends webhooks, the registry whose events they are, and receivers."""

    running: Running
    registry: httpx.AsyncClient
    receiver: Receiver
    villages: dict[str, list[str]]
    """Desa without a Kampung KB, by regency."""

    async def reader(self, region: str | None = None, *roles: str, **fields: Any) -> dict[str, str]:
        """Headers of somebody new who may have webhooks."""
        issued = await self.running.issue(*(roles or ("reader",)), region=region, **fields)
        return {**self.running.with_key(issued["key"]), "x-test-id": issued["id"]}

    async def make(self, owner: dict[str, str], place: Place, **fields: Any) -> dict[str, Any]:
        """A webhook of an owner."""
        draft = {"name": "Uji", "url": place.url, "types": ["village-registered"], **fields}
        answer = await self.running.client.post("/webhooks", json=draft, headers=owner)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, owner: dict[str, str], path: str) -> Any:
        answer = await self.running.client.get(path, headers=owner)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, owner: dict[str, str], path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.running.client.post(path, json=body, headers={**owner, **headers})
        assert answer.status_code in {200, 202}, answer.text
        return answer.json()

    async def tell(self, name: str, within: str) -> str:
        """Let the registry tell of a new village of this name; its region code."""
        code = self.villages[within].pop()
        body = {"region_code": code, "name": name}
        answer = await self.registry.post("/villages", json=body, headers=caller("officer"))
        assert answer.status_code == 201, answer.text
        return code

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.running.gateway.own.state.database.transaction() as session:
            result: Any = await session.execute(sa.text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def hurry(self, webhook: str, *, aside: bool = True) -> None:
        """Let what rests be due now: what is in order, and what stands aside."""
        await self.sql("UPDATE webhooks SET retry_at = now() WHERE id = :id AND retry_at IS NOT NULL", id=webhook)
        if aside:
            await self.sql("UPDATE webhook_deliveries SET due_at = now() WHERE webhook_id = :id", id=webhook)
        await self.sql("SELECT pg_notify('kkb_webhooks', '')")

    async def deliveries(self, owner: dict[str, str], webhook: str, state: str | None = None) -> list[dict[str, Any]]:
        """The log, oldest first."""
        query = f"?limit=200&state={state}" if state else "?limit=200"
        return list(reversed((await self.get(owner, f"/webhooks/{webhook}/deliveries{query}"))["items"]))

    async def until_state(
        self, owner: dict[str, str], webhook: str, state: str, number: int = 1
    ) -> list[dict[str, Any]]:
        async def there() -> list[dict[str, Any]]:
            found = await self.deliveries(owner, webhook, state)
            return found if len(found) >= number else []

        found: list[dict[str, Any]] = await eventually(there)
        return found


async def codes(registry: httpx.AsyncClient, parent: str) -> list[str]:
    answer = await registry.get("/regions", params={"parent": parent, "limit": 200}, headers=caller("reader"))
    return [region["code"] for region in answer.json()["items"]]


@pytest.fixture(scope="session")
async def scene(registry: httpx.AsyncClient, start_gateway: StartGateway, receiver: Receiver) -> AsyncIterator[Scene]:
    villages: dict[str, list[str]] = {"81.03": [], "81.04": []}
    for regency, found in villages.items():
        for district in await codes(registry, regency):
            found.extend(await codes(registry, district))
            if len(found) > 30:
                break
    async with listening(Observed(app_of(registry))) as port:
        running = await start_gateway(
            registry_url=f"http://127.0.0.1:{port}",
            documents={"registry": contract(contract_application(SERVICE))},
            webhook_sending=True,
            webhook_networks=["127.0.0.0/8"],
            webhook_ports=[receiver.port, 443],
            webhook_allow_http=True,
        )
        scene = Scene(running, registry, receiver, villages)

        async def followed() -> bool:
            return bool(await scene.sql("SELECT 1 FROM webhook_feeds"))

        await eventually(followed)
        yield scene
