"""The only way to publish: an event is a row of the same transaction as the change it tells of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event
from kit import logs

CHANNEL = "kkb_outbox"
"""NOTIFY channel that wakes the relay."""

_INSERT = sa.text(
    "INSERT INTO outbox (event_id, subject, body) "
    "SELECT * FROM unnest(cast(:ids AS uuid[]), cast(:subjects AS text[]), cast(:bodies AS bytea[]))"
)
_NOTIFY = sa.text(f"SELECT pg_notify('{CHANNEL}', '')")
_CHUNK = 5_000


def wire(event: Event) -> bytes:
    """The event as it goes over the bus, with the trace of the request that caused it."""
    trace = event.traceparent or logs.traceparent.get()
    return event.model_copy(update={"traceparent": trace}).model_dump_json().encode()


async def publish(session: AsyncSession, events: Iterable[Event]) -> None:
    """Write events into the outbox, in order. They are published once the transaction has committed.

    Per village the order of the outbox is the order of the changes, because every change locks its village (or
    intervention) row before it writes its event.
    """
    pending: Sequence[Event] = list(events)
    for start in range(0, len(pending), _CHUNK):
        chunk = pending[start : start + _CHUNK]
        parameters = {
            "ids": [event.id for event in chunk],
            "subjects": [event.nats_subject for event in chunk],
            "bodies": [wire(event) for event in chunk],
        }
        await session.execute(_INSERT, parameters)
    if pending:
        await session.execute(_NOTIFY)
