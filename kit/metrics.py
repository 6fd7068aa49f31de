"""Prometheus metrics that every process has. One process, one worker: the numbers need no merging."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

REQUESTS = Counter("kkb_requests_total", "Requests answered", ["method", "route", "status"])
LATENCY = Histogram("kkb_request_seconds", "Time to answer", ["method", "route"], buckets=_SECONDS)
IN_FLIGHT = Gauge("kkb_requests_in_flight", "Requests being answered")

OUTBOX_DEPTH = Gauge("kkb_outbox_depth", "Events committed and not yet published")
OUTBOX_AGE = Gauge("kkb_outbox_oldest_age_seconds", "Age of the oldest unpublished event; 0 when there is none")
OUTBOX_PUBLISHED = Counter("kkb_outbox_published_total", "Events published")
OUTBOX_FAILURES = Counter("kkb_outbox_publish_failures_total", "Batches that the stream did not accept")
OUTBOX_POSITION = Gauge("kkb_outbox_position", "Position of the newest event in the order of commits")
STREAM_DOUBTS = Counter("kkb_stream_doubts_total", "Times the stream was seen to have lost what it had acknowledged")
RELAY_LEADER = Gauge("kkb_outbox_relay_leader", "1 where this process publishes for its service")

EVENTS = Counter("kkb_events_total", "Events consumed, by what became of them", ["consumer", "result"])
EVENT_AGE = Histogram(
    "kkb_event_age_seconds", "Age of an event when its effect was committed", ["consumer"], buckets=_AGES
)
CONSUMER_PENDING = Gauge("kkb_consumer_pending", "Events on the stream that are not yet acknowledged", ["consumer"])
DEAD_LETTERS = Counter("kkb_dead_letters_total", "Events put aside because they cannot be handled", ["consumer"])

POOL_SIZE = Gauge("kkb_database_pool_size", "Connections the pool may hold")
POOL_IN_USE = Gauge("kkb_database_pool_in_use", "Connections in use")
BUS_CONNECTED = Gauge("kkb_bus_connected", "1 while connected to NATS")


def watch_pool(engine: AsyncEngine) -> None:
    """Read the pool's figures whenever Prometheus asks."""
    pool = engine.pool
    POOL_SIZE.set_function(lambda: float(pool.size()))  # type: ignore[attr-defined]  # QueuePool has it, Pool does not
    POOL_IN_USE.set_function(lambda: float(pool.checkedout()))  # type: ignore[attr-defined]  # as above
