"""What is remembered of every request: counts, and one line in the log. Never a key, a query or a body."""

from __future__ import annotations

import logging
from functools import lru_cache

from prometheus_client import Counter, Histogram

from gateway.metrics import FAILURES, SERVICE_ANSWERS
from gateway.proxy.calls import Call
from kit import metrics

log = logging.getLogger("access")

_NOTHING = "(none)"


@lru_cache(10_000)
def _series(method: str, service: str, route: str, status: str) -> tuple[Counter, Histogram, Counter]:
    """The series of a kind of request: looking them up by labels costs as much as routing does."""
    return (
        metrics.REQUESTS.labels(method, route, status),
        metrics.LATENCY.labels(method, route),
        SERVICE_ANSWERS.labels(service, status),
    )


def observe(call: Call, seconds: float) -> None:
    """Count and log a request that is over."""
    service, route = _NOTHING, _NOTHING
    if call.operation is not None:
        service, route = call.operation.service, call.operation.template
    status = str(call.status)
    requests, latency, answers = _series(call.method, service, route, status)
    requests.inc()
    latency.observe(seconds)
    answers.inc()
    if call.failure is not None:
        FAILURES.labels(service, call.failure).inc()
    log.info(
        "request",
        extra={
            "method": call.method,
            "route": route,
            "status": call.status,
            "milliseconds": round(seconds * 1000, 1),
            "bytes": call.sent,
            "to": service,
            "caller": call.caller_id,
            "client": call.client,
            "failure": call.failure,
        },
    )
