"""The only way to publish: an event is a row of the same transaction as the change it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit import failpoints, logs

CHANNEL = "kkb_outbox"
"""NOTIFY channel that wakes the relay."""
MAX_BODY_BYTES = 512 * 1024
"""Largest event; half of what the bus takes, so that no event that was committed can block those behind it."""

_INSERT = sa.text(
    "INSERT INTO outbox (event_id, type, region_code, entity, body) "
    "SELECT * FROM unnest(cast(:ids AS uuid[]), cast(:types AS text[]), cast(:regions AS text[]), "
    "cast(:entities AS text[]), cast(:bodies AS bytea[]))"
)
_NOTIFY = sa.text(f"SELECT pg_notify('{CHANNEL}', '')")
_CHUNK = 5_000


def wire(event: Event) -> bytes:
    """The event as it goes over the bus, with the trace of the request that caused it."""
    trace = event.traceparent or logs.traceparent.get()
    told = event if trace == event.traceparent else event.model_copy(update={"traceparent": trace})
    return told.model_dump_json().encode()


async def publish(session: AsyncSession, events: Iterable[Event]) -> None:
    """Write events into the outbox, in order. They are published once the transaction has committed.

    Per village the order of the outbox is the order of the changes, because every change locks its village (or
    intervention) row before it writes its event.

    Raises:
        ValueError: an event is larger than the bus takes; nothing of the transaction may be kept.
    """
    pending: Sequence[Event] = list(events)
    for start in range(0, len(pending), _CHUNK):
        chunk = pending[start : start + _CHUNK]
        parameters = {
            "ids": [event.id for event in chunk],
            "types": [event.type for event in chunk],
            "regions": [event.subject for event in chunk],
            "entities": [event.entity for event in chunk],
            "bodies": [_checked(wire(event)) for event in chunk],
        }
        await session.execute(_INSERT, parameters)
    if pending:
        await session.execute(_NOTIFY)
        session.info[failpoints.MATTERS] = True
        failpoints.reach("after_flush")


def _checked(body: bytes) -> bytes:
    if len(body) > MAX_BODY_BYTES:
        raise ValueError(f"an event of {len(body)} bytes is larger than the bus takes ({MAX_BODY_BYTES})")
    return body
