"""Metrics of assessments."""

from __future__ import annotations

from prometheus_client import Gauge

from kit.metrics import UNKNOWN

OUTDATED = Gauge(
    "kkb_assessments_outdated",
    "Villages that have no assessment under the ruleset in force, whose class is still to follow",
)
OUTDATED.set(UNKNOWN)
