"""Prometheus metrics of the audit trail."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from gateway.audit.rules import AuditKind
from kit.metrics import UNKNOWN

ENTRIES = Counter("kkb_audit_entries_total", "Entries this process added to the audit trail", ["kind"])
WAITING = Gauge("kkb_audit_waiting", "Entries in memory that are not written yet")
OLDEST_WAITING = Gauge("kkb_audit_oldest_waiting_seconds", "Age of the oldest of them; 0 when there is none")
FAILURES = Counter("kkb_audit_write_failures_total", "Writings to the audit trail that failed and are tried again")
REFUSED = Counter(
    "kkb_audit_refused_total",
    "Changing requests refused because the audit trail could not be written; nothing was done",
)
LOST = Counter("kkb_audit_lost_total", "Entries lost because the memory for them was full", ["kind"])
UNFINISHED = Counter(
    "kkb_audit_unfinished_total", "Changing requests recorded without a result: their process ended before it was known"
)
CHAIN_INTACT = Gauge("kkb_audit_chain_intact", "1 where the last check found the whole chain as it should be, 0 if not")
CHECKED = Gauge("kkb_audit_checked_timestamp_seconds", "When the last check of the whole chain ended")

for _kind in AuditKind:
    ENTRIES.labels(_kind.value)
    LOST.labels(_kind.value)
CHAIN_INTACT.set(UNKNOWN)
CHECKED.set(UNKNOWN)
