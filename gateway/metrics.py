"""Prometheus metrics that only the gateway has; those of requests are kit's, with the same names everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from prometheus_client import Counter, Gauge

from gateway.proxy.connections import Pool

SERVICE_ANSWERS = Counter("kkb_gateway_answers_total", "Requests by the service they were for", ["service", "status"])
FAILURES = Counter(
    "kkb_gateway_failures_total", "Requests that got no whole answer from a service, by kind", ["service", "kind"]
)
CONNECTIONS_OPEN = Gauge("kkb_gateway_connections_open", "Connections to a service", ["service"])
CONNECTIONS_IDLE = Gauge("kkb_gateway_connections_idle", "Connections to a service that wait for work", ["service"])
WAITING = Gauge("kkb_gateway_requests_waiting", "Requests that wait for a connection to a service", ["service"])
LIMITED = Counter("kkb_gateway_limited_total", "Requests refused because a quota was used up", ["limit", "who"])
SHED = Counter("kkb_gateway_shed_total", "Requests refused because the gateway as a whole had too much to do")
CEILING = Gauge(
    "kkb_gateway_ceiling_requests_per_second", "Requests a second that are taken on at most; +Inf while all are"
)
LAG = Gauge("kkb_gateway_loop_lag_seconds", "How late the event loop was when it was last looked at")

OIDC_FETCHES = Counter("kkb_gateway_oidc_fetches_total", "Fetches of an issuer's keys", ["issuer", "outcome"])
OIDC_REFUSALS = Counter("kkb_gateway_oidc_refused_total", "Tokens of issuers refused, by reason", ["issuer", "reason"])
OIDC_KEYS_AGE = Gauge(
    "kkb_gateway_oidc_keys_age_seconds", "Age of an issuer's keys; +Inf while there are none", ["issuer"]
)


class _Aging(Protocol):
    @property
    def age(self) -> float:
        """Seconds."""


def watch_oidc_keys(issuer: str, keys: _Aging) -> None:
    """Show an issuer's figures from the start."""
    OIDC_KEYS_AGE.labels(issuer).set_function(lambda: keys.age)
    for outcome in ("ok", "failed"):
        OIDC_FETCHES.labels(issuer, outcome)


def watch_pools(pools: Mapping[str, Pool]) -> None:
    """Read the pools' figures whenever Prometheus asks."""
    for service, pool in pools.items():
        _watch(service, pool)


def _watch(service: str, pool: Pool) -> None:
    CONNECTIONS_OPEN.labels(service).set_function(lambda: float(pool.open))
    CONNECTIONS_IDLE.labels(service).set_function(lambda: float(pool.idle))
    WAITING.labels(service).set_function(lambda: float(pool.waiting))
