"""Prometheus metrics that only the gateway has; those of requests are kit's, with the same names everywhere."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import Counter, Gauge

from kit.metrics import UNKNOWN

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
RETRIES = Counter(
    "kkb_gateway_retries_total", "Requests sent to a second replica, by what the first did", ["service", "why"]
)
RETRIES_REFUSED = Counter(
    "kkb_gateway_retries_refused_total", "Requests not sent to a second replica because too many were", ["service"]
)
COMPRESSED = Counter("kkb_gateway_compressed_total", "Answers compressed")
REPLICA_READY = Gauge("kkb_gateway_replica_ready", "1 while a replica says that it is ready", ["service", "replica"])
BREAKER = Gauge(
    "kkb_gateway_breaker_state",
    "0 closed, 1 half open: one request is tried, 2 open: none is sent",
    ["service", "replica"],
)

OIDC_FETCHES = Counter("kkb_gateway_oidc_fetches_total", "Fetches of an issuer's keys", ["issuer", "outcome"])
OIDC_REFUSALS = Counter("kkb_gateway_oidc_refused_total", "Tokens of issuers refused, by reason", ["issuer", "reason"])
OIDC_KEYS_AGE = Gauge(
    "kkb_gateway_oidc_keys_age_seconds", "Age of an issuer's keys; +Inf while there are none", ["issuer"]
)
OIDC_FILE_IN_FORCE = Gauge(
    "kkb_gateway_oidc_file_in_force",
    "1 while the file of identity providers is the one in force, 0 while it cannot be used",
)
OIDC_FILE_IN_FORCE.set(UNKNOWN)

KEYS_EXPIRING = Gauge("kkb_keys_expiring", "Keys in use that expire within thirty days")
KEYS_EXPIRING.set(UNKNOWN)
KEY_ROTATIONS = Counter("kkb_key_rotations_total", "Keys that got a new secret, by who gave it to them", ["by"])
for _by in ("administrator", "holder"):
    KEY_ROTATIONS.labels(_by)

TOKENS_ISSUED = Counter("kkb_gateway_tokens_issued_total", "Access tokens issued to systems")
TOKENS_REFUSED = Counter("kkb_gateway_tokens_refused_total", "Access tokens, or asking for one, refused", ["reason"])
for _reason in ("expired", "invalid", "replaced", "client", "request"):
    TOKENS_REFUSED.labels(_reason)
SIGN_INS = Counter(
    "kkb_gateway_sign_ins_total", "Attempts to sign in, or to set a password, by what became of them", ["outcome"]
)
SESSIONS = Gauge("kkb_gateway_sessions", "Sessions that are open, in all processes together")
for _outcome in ("ok", "refused", "throttled"):
    SIGN_INS.labels(_outcome)
SESSIONS.set(UNKNOWN)


class _Aging(Protocol):
    @property
    def age(self) -> float:
        """Seconds."""


def watch_oidc_keys(issuer: str, keys: _Aging) -> None:
    """Show an issuer's figures from the start."""
    OIDC_KEYS_AGE.labels(issuer).set_function(lambda: keys.age)
    for outcome in ("ok", "failed"):
        OIDC_FETCHES.labels(issuer, outcome)


def forget_oidc_keys(issuer: str) -> None:
    """Show no age of the keys of an issuer that is not trusted any more: nobody need look after them."""
    OIDC_KEYS_AGE.remove(issuer)
