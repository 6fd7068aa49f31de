"""What there is in the end: the rows of the services' databases and the messages of the streams, as plain values."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

STREAM_OF = {"registry": "KKB_REGISTRY", "interventions": "KKB_INTERVENTIONS", "scoring": "KKB_SCORING"}
CONSUMERS: dict[str, tuple[str, str, str]] = {
    "scoring-registry": ("scoring", "registry", ""),
    "scoring-interventions": ("scoring", "interventions", ""),
    "interventions-village-registered": ("interventions", "registry", "village-registered"),
    "interventions-village-changed": ("interventions", "registry", "village-changed"),
}
"""Durable consumers: who consumes, whose events, and which of them ("" for all)."""

Row = dict[str, Any]

_OUTBOX = (
    "SELECT id, event_id, type, region_code, entity, position, convert_from(body, 'UTF8')::jsonb AS event "
    "FROM outbox ORDER BY position, id"
)
_PUBLICATION = "SELECT position, published FROM publication"
_INBOX = "SELECT consumer, event_id FROM inbox"
_DEAD = "SELECT id, consumer, subject, reason, attempts, outcome FROM dead_letters"
_ROWS = {
    "villages": ("registry", "SELECT * FROM villages"),
    "reports": ("registry", "SELECT * FROM reports"),
    "interventions": ("interventions", "SELECT * FROM interventions"),
    "revisions": ("interventions", "SELECT * FROM intervention_revisions"),
    "followed": ("interventions", "SELECT * FROM villages"),
    "told": ("scoring", "SELECT * FROM villages"),
    "reported_facts": ("scoring", "SELECT * FROM reported_facts"),
    "counted": ("scoring", "SELECT * FROM interventions"),
    "assessments": ("scoring", "SELECT * FROM assessments"),
}


@dataclass
class Traffic:
    """What a service has sent and taken."""

    outbox: list[Row] = field(default_factory=list)
    """Rows in the order of their positions; `event` is the body."""
    position: int = 0
    published: int = 0
    inbox: list[Row] = field(default_factory=list)
    dead_letters: list[Row] = field(default_factory=list)
    stream: list[Row] = field(default_factory=list)
    """Messages of the service's own stream: sequence, id (Nats-Msg-Id), position (Kkb-Position), event."""
    followed: list[Row] = field(default_factory=list)
    """What a client was told that followed the feed all the time: position, entity, tombstone, event."""
    refusals: list[str] = field(default_factory=list)
    """What that client was refused."""

    @property
    def missing_on_stream(self) -> set[str]:
        """Events of the outbox that the stream does not hold."""
        return {row["event_id"] for row in self.outbox} - {message["id"] for message in self.stream}


@dataclass
class Evidence:
    """The final state of everything."""

    traffic: dict[str, Traffic] = field(default_factory=dict)
    villages: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    """All revisions."""
    interventions: list[Row] = field(default_factory=list)
    revisions: list[Row] = field(default_factory=list)
    """Of interventions, all."""
    followed: list[Row] = field(default_factory=list)
    """Villages as the interventions service knows them."""
    told: list[Row] = field(default_factory=list)
    """Villages as scoring knows them."""
    reported_facts: list[Row] = field(default_factory=list)
    counted: list[Row] = field(default_factory=list)
    """Interventions as scoring knows them."""
    assessments: list[Row] = field(default_factory=list)
    feeds: dict[str, list[Row]] = field(default_factory=dict)
    """Each service's change feed, read from its beginning when all was quiet."""
    district_feeds: dict[str, list[Row]] = field(default_factory=dict)
    """The same, of one district."""
    checksums: dict[str, Row] = field(default_factory=dict)
    """What each service says of what it holds."""
    unquiet: list[str] = field(default_factory=list)
    """What was still under way when the time for it was over."""


async def gather(database_urls: Mapping[str, str], nats_url: str) -> Evidence:
    """Read everything; the platform is expected to be quiet."""
    evidence = Evidence()
    for service, url in database_urls.items():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10, command_timeout=60)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                evidence.traffic[service] = await _traffic(connection)
                for name, (owner, query) in _ROWS.items():
                    if owner == service:
                        setattr(evidence, name, await rows(connection, query))
        finally:
            await connection.close()
    client = await nats.connect(nats_url, connect_timeout=5)
    try:
        for service, stream in STREAM_OF.items():
            evidence.traffic[service].stream = await _messages(client.jetstream(timeout=10), stream)
    finally:
        await client.close()
    return evidence


async def rows(connection: asyncpg.Connection, query: str) -> list[Row]:
    """Rows as JSON has them: ids and times are text."""
    found = await connection.fetch(f"SELECT row_to_json(q)::text AS row FROM ({query}) q")
    return [json.loads(one["row"]) for one in found]


async def _traffic(connection: asyncpg.Connection) -> Traffic:
    publication = (await rows(connection, _PUBLICATION) or [{"position": 0, "published": 0}])[0]
    return Traffic(
        outbox=await rows(connection, _OUTBOX),
        **publication,
        inbox=await rows(connection, _INBOX),
        dead_letters=await rows(connection, _DEAD),
    )


async def _messages(jetstream: JetStreamContext, stream: str) -> list[Row]:
    """All messages of a stream, by a consumer that leaves nothing behind."""
    info = await jetstream.stream_info(stream)
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
    made = await jetstream.add_consumer(stream, config)
    subscription = await jetstream.pull_subscribe_bind(durable=made.name, stream=stream)
    found: list[Row] = []
    while len(found) < info.state.messages:
        for message in await subscription.fetch(500, timeout=10):
            headers = message.headers or {}
            place = message.metadata.sequence.stream
            # what is published again has something behind the event's id, so that the stream takes it
            name = headers.get("Nats-Msg-Id", "").partition(":")[0]
            position = int(headers.get("Kkb-Position", ":0").rpartition(":")[2])
            event = json.loads(message.data)
            found.append({"sequence": place, "id": name, "position": position, "event": event})
    await subscription.unsubscribe()
    with suppress(nats.errors.Error, asyncio.TimeoutError):
        await jetstream.delete_consumer(stream, made.name)
    return found
