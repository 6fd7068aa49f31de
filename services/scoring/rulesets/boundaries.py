"""Boundary cases of a ruleset: values at both ends of every band, and what they score."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.scoring.rulesets.engine import Engine


def boundary_cases(engine: Engine) -> list[dict[str, Any]]:
    """One case for each end of each band: indicator, value as decimal string, score."""
    return [
        {
            "indicator": compiled.indicator.code,
            "value": str(Decimal(end).scaleb(-compiled.span.decimals)),
            "score": edges.score,
        }
        for compiled in engine.indicators
        for edges in compiled.edges
        for end in dict.fromkeys((edges.low, edges.high))
        if end is not None
    ]
