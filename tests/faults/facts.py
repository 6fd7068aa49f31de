"""What the tests tell the platform, and whether its services, their outboxes and the streams hold the same."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import nats
from nats.js import JetStreamContext

from kit.ids import uuid7
from tests.callers import caller
from tests.faults.platform import HTTP, SERVICES, Platform, Process, ServiceName

T = TypeVar("T")

STREAMS: dict[ServiceName, str] = {
    "registry": "KKB_REGISTRY",
    "interventions": "KKB_INTERVENTIONS",
    "scoring": "KKB_SCORING",
}
_POLL_SECONDS = 0.2
_BEHIND = "position IS NULL OR position > (SELECT published FROM publication)"
_EVENTS = "SELECT event_id FROM outbox"
_OF_VILLAGES = f"{_EVENTS} WHERE entity LIKE 'village/%'"
_TOLD_VERSIONS = """
SELECT convert_from(body, 'UTF8')::json #>> '{data,village,id}',
       max((convert_from(body, 'UTF8')::json #>> '{data,village,version}')::int)
FROM outbox WHERE entity LIKE 'village/%' GROUP BY 1
"""
_CLASSIFIED = """
SELECT convert_from(body, 'UTF8')::json #>> '{data,village,id}',
       string_agg(convert_from(body, 'UTF8')::json #>> '{data,village,version}', ',' ORDER BY id)
FROM outbox GROUP BY 1
"""


def until(ask: Callable[[], Any], seconds: float = 60.0, what: str = "") -> Any:
    """Ask until the answer is true; fail when it never is."""
    give_up = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < give_up, f"{what or ask}: still {answer!r} after {seconds} s"
        time.sleep(_POLL_SECONDS)
    return answer


def until_none(ask: Callable[[], Any], seconds: float = 60.0, what: str = "") -> None:
    """Ask until nothing is left; fail when something always is."""
    give_up = time.monotonic() + seconds
    while left := ask():
        assert time.monotonic() < give_up, f"{what or ask}: still {left!r} after {seconds} s"
        time.sleep(_POLL_SECONDS)


def free_desa(platform: Platform) -> Iterator[str]:
    """Codes of desa without a Kampung KB; every one once per platform."""
    query = "SELECT code FROM regions WHERE level = 'village' ORDER BY code"
    return itertools.chain.from_iterable(platform.sql("registry", query))


def registration(code: str, key: str | None = None) -> dict[str, Any]:
    """A request to register the Kampung KB of a desa, as httpx takes it."""
    headers = {**caller("officer"), "Idempotency-Key": key or uuid7().hex}
    return {"json": {"region_code": code}, "headers": headers}


def register(process: Process, code: str, key: str | None = None, seconds: float = 30.0) -> httpx.Response:
    """Register the Kampung KB of a desa."""
    return HTTP.post(f"{process.url}/villages", timeout=seconds, **registration(code, key))


def unpublished(platform: Platform, service: ServiceName) -> int:
    """Events that are committed and not yet noted as published."""
    return int(platform.sql(service, f"SELECT count(*) FROM outbox WHERE {_BEHIND}")[0][0])


def _ids(platform: Platform, service: ServiceName, query: str) -> set[str]:
    return {row[0] for row in platform.sql(service, query)}


def unhandled(platform: Platform) -> set[str]:
    """Events that one of their consumers has not handled yet."""
    scoring = _ids(platform, "scoring", "SELECT event_id FROM inbox")
    interventions = _ids(platform, "interventions", "SELECT event_id FROM inbox")
    left = _ids(platform, "registry", _EVENTS) | _ids(platform, "interventions", _EVENTS)
    return (left - scoring) | (_ids(platform, "registry", _OF_VILLAGES) - interventions)


def wait_for_effects(platform: Platform, seconds: float = 60.0) -> None:
    """Wait until all that was told is published and has had its effects."""
    until_none(lambda: [service for service in SERVICES if unpublished(platform, service)], seconds, "unpublished")
    until_none(lambda: unhandled(platform), seconds, "unhandled")
    until_none(lambda: unpublished(platform, "scoring"), seconds, "unpublished classes")


def wait_until_settled(platform: Platform, seconds: float = 60.0) -> None:
    """Wait until all that was told has had its effects, and nothing will be delivered again."""
    wait_for_effects(platform, seconds)
    until_none(lambda: unacknowledged(platform), seconds, "unacknowledged")
    wait_for_effects(platform, seconds)


def ask_jetstream(platform: Platform, ask: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """What JetStream answers, past the proxies."""

    async def answer() -> T:
        client = await nats.connect(platform.nats_url)
        try:
            return await ask(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(answer())


def unacknowledged(platform: Platform) -> int:
    """Messages that wait to be delivered, or to be acknowledged, at any consumer of the services."""

    async def ask(jetstream: JetStreamContext) -> int:
        found = [info for stream in STREAMS.values() for info in await jetstream.consumers_info(stream)]
        # those without a durable name are readers, which the server forgets by itself
        durable = [info for info in found if info.config.durable_name]
        return sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in durable)

    return ask_jetstream(platform, ask)


def in_stream(platform: Platform, service: ServiceName) -> list[str]:
    """Ids of the events in a service's stream, in their order."""

    async def read(jetstream: JetStreamContext) -> list[str]:
        number = (await jetstream.stream_info(STREAMS[service])).state.messages
        if not number:
            return []
        ordered = await jetstream.subscribe(f"kkb.{service}.>", ordered_consumer=True)
        messages = [await ordered.next_msg(timeout=10) for _ in range(number)]
        return [(message.headers or {})["Nats-Msg-Id"] for message in messages]

    return ask_jetstream(platform, read)


def assert_agreement(platform: Platform) -> None:
    """State, outboxes, streams and projections hold the same; every effect happened once."""
    for service in SERVICES:
        written = [row[0] for row in platform.sql(service, f"{_EVENTS} ORDER BY position")]
        streamed = in_stream(platform, service)
        assert streamed == written, f"{service}: {_difference(streamed, written)}"
    _assert_every_version_was_told(platform)
    _assert_projections(platform)
    _assert_classes(platform)
    assert platform.sql("scoring", "SELECT * FROM dead_letters") == []
    assert platform.sql("interventions", "SELECT * FROM dead_letters") == []


def _difference(left: list[str], right: list[str]) -> str:
    more, less = Counter(left) - Counter(right), Counter(right) - Counter(left)
    return f"too much {dict(more)}, missing {dict(less)}" if more or less else "another order"


def _assert_every_version_was_told(platform: Platform) -> None:
    """A village's version grows with every change, and every change writes one event."""
    versions = dict(platform.sql("registry", "SELECT region_code, version FROM villages"))
    told = dict(platform.sql("registry", "SELECT region_code, count(*) FROM outbox GROUP BY 1"))
    assert told == versions


def _assert_projections(platform: Platform) -> None:
    told = dict(platform.sql("registry", _TOLD_VERSIONS))
    assert dict(platform.sql("scoring", "SELECT id, version FROM villages")) == told
    assert dict(platform.sql("interventions", "SELECT id, version FROM villages")) == told


def _assert_classes(platform: Platform) -> None:
    """Every village is assessed, and each version of its assessment was told once."""
    assessed = dict(platform.sql("scoring", "SELECT village_id, version FROM assessments"))
    assert set(assessed) == _ids(platform, "registry", "SELECT id FROM villages")
    every = {village: ",".join(map(str, range(1, int(version) + 1))) for village, version in assessed.items()}
    assert dict(platform.sql("scoring", _CLASSIFIED)) == every
