"""Metrics of webhooks. What only the leader knows is NaN everywhere else."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from gateway.deliveries.schemas import Outcome
from gateway.webhooks.vault import Under
from kit.metrics import UNKNOWN

LEADER = Gauge("kkb_webhook_leader", "1 where this process follows the feeds for webhooks and sends")
ATTEMPTS = Counter("kkb_webhook_attempts_total", "Attempts at deliveries, by what became of them", ["outcome"])
ATTEMPT_SECONDS = Histogram(
    "kkb_webhook_attempt_seconds",
    "Time of an attempt, from the name's resolution to the answer's end",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
DELIVERIES = Counter("kkb_webhook_deliveries_total", "Deliveries that ended", ["outcome"])
WAITING = Gauge("kkb_webhook_waiting", "Deliveries to active webhooks that wait, at most as many as are counted")
OLDEST = Gauge(
    "kkb_webhook_oldest_waiting_seconds", "Age of the oldest delivery to an active webhook that waits; 0: none"
)
WEBHOOKS = Gauge("kkb_webhooks", "Webhooks by how they are", ["state"])
FEED_POSITION = Gauge("kkb_webhook_feed_position", "Position up to which a feed was read for webhooks", ["feed"])
FEED_READ = Gauge(
    "kkb_webhook_feed_read_timestamp_seconds", "When a feed last answered the leader, with or without events", ["feed"]
)

SECRETS = Gauge("kkb_webhook_secrets", "Secrets of webhooks by the key of the key file that they are under", ["key"])

STATES = ("active", "failing", "asked", "failures", "ended")
"""Of webhooks: all is well; active but its receiver fails; paused by its owner; paused because of failures; ended."""
ENDS = ("delivered", "given_up", "skipped")

_GAUGES = (WAITING, OLDEST)

for _outcome in Outcome:
    ATTEMPTS.labels(_outcome.value)
for _end in ENDS:
    DELIVERIES.labels(_end)


def forget(feeds: Iterable[str]) -> None:
    """Say that this process does not know (now)."""
    LEADER.set(0)
    for gauge in _GAUGES:
        gauge.set(UNKNOWN)
    for state in STATES:
        WEBHOOKS.labels(state).set(UNKNOWN)
    for under in Under:
        SECRETS.labels(under.value).set(UNKNOWN)
    for feed in feeds:
        FEED_POSITION.labels(feed).set(UNKNOWN)
        FEED_READ.labels(feed).set(UNKNOWN)


forget(())
