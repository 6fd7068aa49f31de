"""Prometheus metrics that every process has. One process, one worker: the numbers need no merging."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine

UNKNOWN = float("nan")
"""What a gauge says while the process cannot know: missing is not zero. `max` and comparisons leave it out."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)

READY = Gauge("kkb_ready", "1 while requests can be answered: what /readyz says")
REQUESTS = Counter("kkb_requests_total", "Requests answered", ["method", "route", "status"])
LATENCY = Histogram("kkb_request_seconds", "Time to answer", ["method", "route"], buckets=_SECONDS)
IN_FLIGHT = Gauge("kkb_requests_in_flight", "Requests being answered")

IDENTITY_KEYS = Gauge("kkb_identity_keys", "Public keys that identities are accepted of")
IDENTITIES_REFUSED = Counter(
    "kkb_identities_refused_total", "Requests whose identity the gateway did not sign for this service", ["reason"]
)

OUTBOX_DEPTH = Gauge("kkb_outbox_depth", "Events committed and not yet published")
OUTBOX_AGE = Gauge("kkb_outbox_oldest_age_seconds", "Age of the oldest unpublished event; 0 when there is none")
OUTBOX_PUBLISHED = Counter("kkb_outbox_published_total", "Events published")
OUTBOX_FAILURES = Counter("kkb_outbox_publish_failures_total", "Batches that the stream did not accept")
OUTBOX_POSITION = Gauge("kkb_outbox_position", "Position last given in the order of commits")
RELAY_LEADER = Gauge("kkb_outbox_relay_leader", "1 where this process publishes for its service")

RECONCILER_FINDINGS = Counter(
    "kkb_reconciler_findings_total", "Signs that a stream is not what was published into it", ["finding"]
)
FINDINGS = (
    "stream_missing",
    "stream_recreated",
    "stream_shortened",
    "stream_emptied",
    "numbers_repeated",
    "missing",
    "feed_ahead",
)
"""No stream; a stream made anew; its last number went back; all that was there is gone; it gives numbers again; events it
lost, one by one; it holds positions that this database has never given: the database was put back in time."""
RECONCILER_REPUBLISHED = Counter("kkb_reconciler_republished_total", "Events published again that a stream had lost")
RECONCILER_SUCCESS = Gauge(
    "kkb_reconciler_last_success_timestamp_seconds",
    "When this leader last knew that the stream holds what was published",
)

EVENTS = Counter("kkb_events_total", "Events consumed, by what became of them", ["consumer", "result"])
EVENT_AGE = Histogram(
    "kkb_event_age_seconds", "Age of an event when its effect was committed", ["consumer"], buckets=_AGES
)
RESULTS = ("ok", "duplicate", "stale", "retried", "dead")
"""What can become of an event: effect, seen before, older than what is there, delivered again later, put aside."""
CONSUMER_BOUND = Gauge("kkb_consumer_bound", "1 while this process takes events from the stream", ["consumer"])
CONSUMER_PENDING = Gauge("kkb_consumer_pending", "Events on the stream that are not yet acknowledged", ["consumer"])
DEAD_LETTERS = Counter("kkb_dead_letters_total", "Events put aside because they cannot be handled", ["consumer"])
DEAD_LETTERS_OPEN = Gauge(
    "kkb_dead_letters_open", "Events put aside that nobody has requeued with success or discarded", ["consumer"]
)

CHANGES_WAITERS = Gauge("kkb_changes_waiters", "Clients that wait for an event of the change feed")
CHANGES_ITEMS = Counter("kkb_changes_items_total", "Events answered by the change feed", ["service"])

POOL_SIZE = Gauge("kkb_database_pool_size", "Connections the pool may hold")
POOL_IN_USE = Gauge("kkb_database_pool_in_use", "Connections in use")
BUS_CONNECTED = Gauge("kkb_bus_connected", "1 while connected to NATS")

_OF_EVENTS = (
    "kkb_outbox_",
    "kkb_event",
    "kkb_consumer_",
    "kkb_dead_",
    "kkb_reconciler_",
    "kkb_bus_",
    "kkb_changes_",
)


class _WithoutEvents(Collector):
    def collect(self) -> Iterator[Metric]:
        """All families but those of events."""
        return (family for family in REGISTRY.collect() if not family.name.startswith(_OF_EVENTS))


WITHOUT_EVENTS = _WithoutEvents()
"""The metrics of a process that has no outbox and no consumer: it must not say that they are empty."""


@lru_cache(10_000)
def of_requests(method: str, route: str, status: str) -> tuple[Counter, Histogram]:
    """Count and time of a kind of request: looking a series up by its labels costs as much as routing does."""
    return REQUESTS.labels(method, route, status), LATENCY.labels(method, route)


def forget_outbox() -> None:
    """Say that this process does not know its service's outbox (now)."""
    for gauge in (OUTBOX_DEPTH, OUTBOX_AGE, OUTBOX_POSITION, RECONCILER_SUCCESS):
        gauge.set(UNKNOWN)


def expect_consumer(name: str) -> None:
    """Show all series of a consumer from the start, so that the first event of a kind is seen as an increase."""
    for result in RESULTS:
        EVENTS.labels(name, result)
    EVENT_AGE.labels(name)
    DEAD_LETTERS.labels(name)
    CONSUMER_BOUND.labels(name)
    CONSUMER_PENDING.labels(name).set(UNKNOWN)


forget_outbox()
for _finding in FINDINGS:
    RECONCILER_FINDINGS.labels(_finding)


def watch_pool(engine: AsyncEngine) -> None:
    """Read the pool's figures whenever Prometheus asks."""
    pool = engine.pool
    POOL_SIZE.set_function(lambda: float(pool.size()))  # type: ignore[attr-defined]  # QueuePool has it, Pool does not
    POOL_IN_USE.set_function(lambda: float(pool.checkedout()))  # type: ignore[attr-defined]  # as above
