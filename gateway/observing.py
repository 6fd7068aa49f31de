"""What is remembered of every request: counts, and one line in the log. Never a key, a query or a body."""

from __future__ import annotations

import logging

from gateway.metrics import FAILURES, SERVICE_ANSWERS
from gateway.proxy.forwarding import Call
from kit import metrics

log = logging.getLogger("access")

_NOTHING = "(none)"


def observe(call: Call, seconds: float) -> None:
    """Count and log a request that is over."""
    service, route = _NOTHING, _NOTHING
    if call.operation is not None:
        service, route = call.operation.service, call.operation.template
    status = str(call.status)
    metrics.REQUESTS.labels(call.method, route, status).inc()
    metrics.LATENCY.labels(call.method, route).observe(seconds)
    SERVICE_ANSWERS.labels(service, status).inc()
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
