"""Text that people type: trimmed, bounded, without control characters."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BREAK = re.compile(r"[\t\n]")


def _without_control_characters(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("text has no control characters")
    return value


def _on_one_line(value: str) -> str:
    if _BREAK.search(value):
        raise ValueError("this text has one line")
    return value


_Clean = AfterValidator(_without_control_characters)
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
    _Clean,
    AfterValidator(_on_one_line),
]
"""One line: a name, a number, a place."""

Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), _Clean]
"""Several lines: a description."""

SourceSystem = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
"""System that a fact comes from: manual, siga, web-kampung-kb, demo."""
