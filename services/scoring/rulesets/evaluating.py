"""Evaluating villages that somebody sends; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from kit import problems
from services.scoring.rulesets.columns import AS_OF
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.schemas import VillageFactsIn

_CHUNK = 100
_MOST_ERRORS = 100
_VILLAGES = TypeAdapter(list[VillageFactsIn])


def evaluate(engine: Engine, villages: Sequence[Any], today: date) -> bytes:
    """Check and evaluate villages; JSON with one answer each, in their order. Long: run it in a thread.

    Villages that say no day are assessed for `today`.

    Raises:
        Invalid: a village does not fit the contract; the first hundred places are named.
    """
    _check(villages)
    as_of = today.isoformat()
    evaluation = engine.evaluate([village if village.get(AS_OF) else {**village, AS_OF: as_of} for village in villages])
    return orjson.dumps([evaluation.summary_of(row) for row in range(len(evaluation))])


def _check(villages: Sequence[Any]) -> None:
    """In chunks, because pydantic does not let other threads run while it validates."""
    errors: list[dict[str, Any]] = []
    for start in range(0, len(villages), _CHUNK):
        try:
            _VILLAGES.validate_python(villages[start : start + _CHUNK])
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False):
                place, *rest = one["loc"]
                errors.append({**one, "loc": ("body", start + int(place), *rest)})
            if len(errors) >= _MOST_ERRORS:
                break
    if errors:
        raise problems.invalid_from(errors[:_MOST_ERRORS])
