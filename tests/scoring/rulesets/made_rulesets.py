"""Ruleset documents for tests: web-2021 under another id, with something changed."""

from __future__ import annotations

import copy
import itertools
from typing import Any

from services.scoring.rulesets.library import shipped_rulesets

_free = itertools.count(1)


def place_of(code: str) -> int:
    """Where an indicator stands in the document."""
    return shipped_rulesets()["web-2021"].codes.index(code)


def made(number: str | None = None, **fields: Any) -> dict[str, Any]:
    """A draft that is web-2021 in all but its id, and what is said otherwise."""
    document = copy.deepcopy(shipped_rulesets()["web-2021"].ruleset.as_json())
    return document | {"id": number or f"uji-{next(_free)}", "status": "draft"} | fields


def stricter(number: str | None = None) -> dict[str, Any]:
    """Three points for sources of funds only from three sources on, not two."""
    document = made(number)
    bands = document["indicators"][place_of("input_sumber_dana")]["bands"]
    bands[1]["to"], bands[2]["from"] = 2, 3
    return document


def with_a_gap(number: str | None = None) -> dict[str, Any]:
    """Two sources of funds fall into no band."""
    document = made(number)
    document["indicators"][place_of("input_sumber_dana")]["bands"][2]["from"] = 3
    return document
