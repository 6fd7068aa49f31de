"""What a stranger sees on NATS: CloudEvents 1.0 in structured mode, with the headers that the AsyncAPI document says."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import jsonschema
from nats.aio.msg import Msg

from contracts.events import VillageRegistered, decode
from tests.callers import caller
from tests.conftest import app_of
from tests.contracts.test_asyncapi import SENT, message_of, resolved, schema_of

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


async def registered(registry: httpx.AsyncClient, district: str) -> tuple[str, Msg]:
    """A village that was registered through the API, and the message that tells of it."""
    regions = await registry.get("/regions", params={"parent": district}, headers=caller("reader"))
    code = regions.json()["items"][0]["code"]
    jetstream = await app_of(registry).state.bus.jetstream()
    heard = await jetstream.subscribe(f"kkb.registry.village-registered.v1.{code}", ordered_consumer=True)
    made = await registry.post("/villages", json={"region_code": code}, headers=caller("officer"))
    assert made.status_code == 201, made.text
    message = await heard.next_msg(timeout=20)
    await heard.unsubscribe()
    return code, message


async def test_a_message_is_a_cloudevent(registry: httpx.AsyncClient) -> None:
    code, message = await registered(registry, "12.01.01")
    said: dict[str, Any] = json.loads(message.data)
    assert said["specversion"] == "1.0"
    assert all(isinstance(said[name], str) and said[name] for name in ("id", "source", "type", "subject"))
    assert (said["source"], said["subject"]) == ("/services/registry", code)
    assert RFC3339.fullmatch(said["time"]), said["time"]
    assert said["datacontenttype"] == "application/json"
    assert isinstance(said["data"], dict)
    assert all(re.fullmatch("[a-z0-9]+", name) for name in said), "CloudEvents allows nothing else in names"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", said["traceparent"])
    assert isinstance(decode(message.data), VillageRegistered)
    jsonschema.validate(said, schema_of(message_of(VillageRegistered)["payload"]))


async def test_its_headers_are_those_of_the_document(registry: httpx.AsyncClient) -> None:
    _, message = await registered(registry, "12.01.02")
    headers = message.headers or {}
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["Nats-Msg-Id"] == json.loads(message.data)["id"]
    ours = {name: value for name, value in headers.items() if name in SENT}
    jsonschema.validate(ours, schema_of(resolved(message_of(VillageRegistered)["headers"]["$ref"])))
