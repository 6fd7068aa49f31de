"""Metrics of assessments."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from kit.metrics import UNKNOWN

OUTDATED = Gauge(
    "kkb_assessments_outdated",
    "Villages whose class is still to follow: not assessed under the ruleset in force, or changed by time alone",
)
OUTDATED.set(UNKNOWN)
RENEWED = Counter(
    "kkb_assessments_renewed_total",
    "Assessments made anew because a report or an intervention may have got too old for the ruleset in force",
)
