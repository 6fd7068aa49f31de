"""Canonical JSON: one text for one value, so that a digest of it means something to everybody."""

from __future__ import annotations

import json
from typing import Any


def canonical(value: Any) -> str:
    """Canonical JSON: keys sorted, no blanks, text as it is.

    Values hold no fractions as JSON numbers (decimals are strings), so the text is the same everywhere.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
