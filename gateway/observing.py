"""What is remembered of every request: counts, and one line in the log. Never a key, a query or a body."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter

from gateway.metrics import FAILURES, SERVICE_ANSWERS
from gateway.proxy.calls import Call
from kit import logs, metrics

_NOTHING = "(none)"


@lru_cache(10_000)
def _answers(service: str, status: str) -> Counter:
    return SERVICE_ANSWERS.labels(service, status)


def observe(call: Call, seconds: float) -> None:
    """Count and log a request that is over."""
    service, route = _NOTHING, _NOTHING
    if call.operation is not None:
        service, route = call.operation.service, call.operation.template
    status = str(call.status)
    requests, latency = metrics.of_requests(call.method, route, status)
    requests.inc()
    latency.observe(seconds)
    _answers(service, status).inc()
    if call.failure is not None:
        FAILURES.labels(service, call.failure).inc()
    logs.log_request(
        {
            "method": call.method,
            "route": route,
            "status": call.status,
            "milliseconds": round(seconds * 1000, 1),
            "bytes": call.sent,
            "to": service,
            "caller": call.caller_id,
            "client": call.client,
            "failure": call.failure,
        }
    )
