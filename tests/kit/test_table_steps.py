"""Databases of the release before are carried over: nothing published twice, nothing forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.events import EVENTS, DeterminationIssued, Event
from contracts.examples import example
from deploy.embedded.throwaway import ThrowawayServers
from kit import migrations
from kit.ids import uuid7

BEFORE = {"registry": "0002", "interventions": "0001", "scoring": "0001"}


def migrate(url: str, service: str, to: str) -> None:
    def upgrade(connection: Connection) -> None:
        command.upgrade(migrations.config(service, connection), to)

    async def run() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
        await engine.dispose()

    asyncio.run(run())


def ask(url: str, *statements: tuple[str, *tuple[Any, ...]]) -> list[Any]:
    """Run statements; the rows of the last."""

    async def run() -> list[Any]:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        rows: list[Any] = []
        for statement, *parameters in statements:
            rows = await connection.fetch(statement, *parameters)
        await connection.close()
        return rows

    return asyncio.run(run())


def own_events(service: str) -> list[Event]:
    """One of each kind that the release before had."""
    kinds = [kind for kind in EVENTS if f".{service}." in example(kind).type and kind is not DeterminationIssued]
    return [example(kind).model_copy(update={"id": uuid7()}) for kind in kinds]


@pytest.mark.parametrize("service", list(BEFORE))
def test_events_get_the_places_they_had(servers: ThrowawayServers, service: str) -> None:
    url = servers.empty_database(service)
    migrate(url, service, BEFORE[service])
    events = [event for _ in range(2) for event in own_events(service)]
    waiting = events[0]
    insert = (
        "INSERT INTO outbox (event_id, subject, body, published_at) VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END)"
    )
    rows = [(insert, e.id, e.nats_subject, e.model_dump_json().encode(), e is not waiting) for e in events]
    ask(url, *rows)

    migrate(url, service, "head")
    kept = ask(url, ("SELECT event_id, type, region_code, entity, position FROM outbox ORDER BY position, id",))
    in_order = [*events[1:], waiting]
    assert [tuple(row)[:4] for row in kept] == [(e.id, e.type, e.subject, e.entity) for e in in_order]
    assert [row["position"] for row in kept] == [*range(1, len(events)), None]
    ((position, published),) = ask(url, ("SELECT position, published FROM publication",))
    assert position == published == len(events) - 1


def test_dead_letters_stay_open_and_find_their_region(servers: ThrowawayServers) -> None:
    url = servers.empty_database("scoring")
    migrate(url, "scoring", "0001")
    insert = "INSERT INTO dead_letters (consumer, subject, stream_sequence, body, reason, attempts) VALUES ('c', $1, $2, $3, 'r', 1)"
    known, strange = "kkb.registry.profile-reported.v1.33.26.01.2001", "kkb.registry.something"
    ask(url, (insert, known, 1, b"{}"), (insert, strange, 2, b"?"), (insert, known, 3, b"{}"))

    migrate(url, "scoring", "head")
    kept = ask(url, ("SELECT region_code, body, outcome FROM dead_letters ORDER BY id",))
    assert [tuple(row) for row in kept] == [("33.26.01.2001", b"{}", None), (None, b"?", None)]
