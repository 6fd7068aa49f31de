"""Waiting until all that was begun has followed: no request, no transaction, no event is under way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import asyncpg
import nats

from tests.faults.history.evidence import CONSUMERS, STREAM_OF, rows

_UNDER_WAY = (
    "SELECT (SELECT count(*) FROM outbox WHERE position IS NULL) AS unplaced, "
    "(SELECT coalesce(max(position - published), 0) FROM publication) AS unpublished, "
    "(SELECT coalesce(max(position), 0) FROM publication) AS position, "
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND xact_start IS NOT NULL) AS transactions"
)
_ROUND_SECONDS = 0.5


async def wait_until_quiet(database_urls: Mapping[str, str], nats_url: str, seconds: float) -> list[str]:
    """Empty once two looks in a row find nothing under way and nothing new; else what still is when the time is over."""
    deadline = time.monotonic() + seconds
    before: dict[str, int] = {}
    while True:
        try:
            busy, now = await _look(database_urls, nats_url)
        except (nats.errors.Error, asyncpg.PostgresError, OSError, TimeoutError) as error:
            busy, now = [f"the servers do not answer: {type(error).__name__}: {error}"], {}
        if not busy and now == before:
            return []
        if time.monotonic() > deadline:
            return busy or ["events go on coming"]
        before = now
        await asyncio.sleep(_ROUND_SECONDS)


async def _look(database_urls: Mapping[str, str], nats_url: str) -> tuple[list[str], dict[str, int]]:
    busy, positions = [], {}
    for service, url in database_urls.items():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=5, command_timeout=10)
        try:
            (found,) = await rows(connection, _UNDER_WAY)
        finally:
            await connection.close()
        positions[service] = found.pop("position")
        busy += [f"{service}: {number} {what}" for what, number in found.items() if number]
    client = await nats.connect(nats_url, connect_timeout=5, allow_reconnect=False)
    try:
        for consumer, (_, owner, _) in CONSUMERS.items():
            info = await client.jetstream(timeout=5).consumer_info(STREAM_OF[owner], consumer)
            if info.num_pending or info.num_ack_pending:
                what = f"{info.num_pending} pending, {info.num_ack_pending} not acknowledged"
                busy.append(f"{consumer}: {what}")
    finally:
        await client.close()
    return busy, positions
