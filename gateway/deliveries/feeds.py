"""Reads the services' change feeds as any client does, through the gateway's own pools and with an identity of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.types import Message as AsgiMessage

from contracts.regions import common_region
from gateway.deliveries.store import Message
from gateway.proxy.calls import Call
from gateway.proxy.failures import ClientGone, UpstreamFailure
from gateway.proxy.forwarding import Forwarder
from gateway.proxy.headers import request_id, trace
from gateway.proxy.routing import Operation, RoutingTable
from kit import API, deadlines
from kit.access import Grant, Principal, Role
from kit.changes.types import services, types_by_name
from kit.problems import NotFound, Problem

WEBHOOKS = Principal("gateway", "webhooks of the gateway", (Grant(Role.READER, None),))
"""As whom the gateway reads: all that is read may be anybody's to be sent, and nothing is changed."""

NOWHERE = "99"
"""A province that no code list has: asking for it alone gives the feed's end without anything on the way there."""

_WAIT_SECONDS = 20
_END_SECONDS = 2.0
"""How long whoever makes a webhook waits for a feed to say where it ends."""
_AT_ONCE = 200
_OK, _GONE = 200, 410


class FeedAway(Exception):
    """The feed does not answer just now, or not as it should."""


class FeedAnew(Exception):
    """The feed was made anew: the cursor means nothing any more (410)."""


@dataclass(frozen=True)
class Item:
    """One event of a feed."""

    message: Message
    time: datetime
    position: int


@dataclass(frozen=True)
class FeedPage:
    """A page of a feed, with the cursor behind it."""

    items: Sequence[Item]
    next_since: str
    more: bool


@dataclass(frozen=True)
class Interest:
    """What anybody wants of a feed: its events of these types in this region; None is all of them."""

    region: str | None = None
    types: tuple[str, ...] | None = None

    @classmethod
    def of(cls, service: str, wanted: Iterable[tuple[Collection[str] | None, str | None]]) -> Interest:
        """What covers all that is wanted of a service's events, each time these types (None: all) in that region."""
        known = types_by_name(service)
        own = [(None if types is None else known.keys() & types, region) for types, region in wanted]
        asked = [(types, region) for types, region in own if types is None or types]
        if not asked:
            return NOTHING
        types = None if any(types is None for types, _ in asked) else {name for some, _ in asked for name in some or ()}
        return cls(common_region(region for _, region in asked), None if types is None else tuple(sorted(types)))


NOTHING = Interest(NOWHERE)
"""Of nobody: the feed's end moves on, and nothing is read on the way there."""


class OwnFeeds:
    """The feeds of the services whose contracts declare one."""

    def __init__(self, table: RoutingTable, forwarder: Forwarder, identity: Callable[[str], bytes]) -> None:
        self._forwarder = forwarder
        self._identity = identity
        self._operations = {service: found for service in services() if (found := _feed(table, service))}

    @property
    def services(self) -> Sequence[str]:
        """Whose feeds there are."""
        return list(self._operations)

    async def read(self, service: str, since: str | None, interest: Interest, *, wait: bool = False) -> FeedPage:
        """The next page of what is wanted.

        Raises:
            FeedAnew, FeedAway: see there.
        """
        query: dict[str, Any] = {"limit": _AT_ONCE, "wait": _WAIT_SECONDS if wait else 0}
        query |= {} if since is None else {"since": since}
        query |= {} if interest.region is None else {"region": interest.region}
        query |= {} if interest.types is None else {"type": interest.types}
        status, body = await self._ask(self._operations[service], query)
        if status == _GONE:
            raise FeedAnew
        if status != _OK:
            raise FeedAway(f"answered {status}")
        try:
            page = orjson.loads(body)
            return FeedPage([_item(item) for item in page["items"]], page["next_since"], page["more"])
        except (ValueError, KeyError, TypeError) as error:
            raise FeedAway("its answer cannot be read") from error

    async def ends(self) -> dict[str, str]:
        """Cursors of where the feeds end now, by service; without those that do not say so at once."""
        return {service: end for service, end in await asyncio.gather(*map(self._end, self.services)) if end}

    async def _end(self, service: str) -> tuple[str, str | None]:
        try:
            async with asyncio.timeout(deadlines.within(_END_SECONDS)):
                return service, (await self.read(service, None, NOTHING)).next_since
        except (FeedAway, FeedAnew, TimeoutError):
            return service, None

    async def _ask(self, operation: Operation, query: Mapping[str, Any]) -> tuple[int, bytes]:
        call = Call(
            method="GET",
            target=f"{operation.template}?{urlencode(query, doseq=True)}".encode(),
            headers=[(b"accept", b"application/json"), (b"host", b"gateway")],
            client="",
            scheme="http",
            request_id=request_id([]),
            trace=trace([]),
            operation=operation,
            identity=self._identity(operation.service),
            caller_id=WEBHOOKS.id,
            deadline=self._forwarder.deadline(),
        )
        parts: list[bytes] = []

        async def take(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
            else:
                parts.append(message.get("body", b""))

        try:
            await self._forwarder.hand_on(call, _nothing_more, take)
        except (UpstreamFailure, ClientGone, Problem, OSError) as failure:
            raise FeedAway(type(failure).__name__) from failure
        return call.status, b"".join(parts)


async def _nothing_more() -> AsgiMessage:
    """What a client sends who has said all and does not hang up."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


def _feed(table: RoutingTable, service: str) -> Operation | None:
    try:
        return table.find("GET", f"{API}/changes/{service}")
    except NotFound:
        return None


def _item(item: Mapping[str, Any]) -> Item:
    event = item["event"]
    message = Message(UUID(event["id"]), event["type"], event["subject"], orjson.dumps(event))
    return Item(message, datetime.fromisoformat(event["time"]), item["position"])
