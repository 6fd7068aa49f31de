"""One formula for one village in plain numbers, value for value what the engine computes for a batch.

Only proposals are made with it: what a village is scored with them, the engine says.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from services.scoring.rulesets.columns import AS_OF, is_recent
from services.scoring.rulesets.document import (
    Arithmetic,
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    FirstReported,
    Formula,
    GatedCount,
    Input,
    Mean,
    Missing,
    Percentage,
    Rounding,
    RoundingMode,
    Sum,
)
from services.scoring.rulesets.engine import CompiledIndicator

Values = Mapping[str, Any]
"""Facts by path, None where not reported."""


def value_of(formula: Formula, values: Values) -> int | None:
    """A formula's value in units of its grid; None where it is missing."""
    match formula:
        case Input():
            value: int | None = values[formula.input]
        case Sum():
            value = _total([value_of(part, values) for part in formula.of], formula.missing)
        case FirstReported():
            parts = (value_of(part, values) for part in formula.of)
            value = next((part for part in parts if part is not None), None)
        case Percentage():
            value = _percentage(formula, values)
        case Mean():
            value = _mean(formula, [value_of(part, values) for part in formula.of])
        case CountMet():
            value = _total([is_met(condition, values) for condition in formula.of], formula.missing)
        case GatedCount():
            value = _gated_count(formula, values)
        case CountChoices():
            chosen = values[formula.input]
            value = _nothing(formula.missing) if chosen is None else len(set(chosen))
        case CountActors():
            value = _actors(formula, values)
    return value


class Bands:
    """An indicator's bands as plain numbers: which score a value gives."""

    def __init__(self, compiled: CompiledIndicator) -> None:
        self.starts: list[int] = compiled.starts.tolist()
        self.scores: list[int] = compiled.scores.tolist()
        self.when_missing = compiled.score_when_missing

    def score_of(self, units: int | None) -> int:
        """The score that a value gives, 0 where there is none."""
        if units is None:
            return self.when_missing
        return self.scores[max(bisect_right(self.starts, units) - 1, 0)]


def is_met(condition: Condition, values: Values) -> bool | None:
    """Whether a condition is met; None where it was not answered."""
    answer = values[condition.input]
    return None if answer is None else int(answer) > (condition.above or 0)


def actors_of(done: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Who took part in interventions, each once."""
    return {actor for one in done for actor in one.get("actors") or ()}


def percent(numerator: int, divisor: int, formula: Percentage) -> int:
    """A percentage as the formula rounds it, in units of its grid."""
    if formula.arithmetic is Arithmetic.DOUBLE:
        return _rounded(numerator / divisor * 100, formula.rounding)
    return quotient(numerator * 100 * 10**formula.rounding.decimals, divisor, formula.rounding.mode)


def mean(total: int, parts: int, formula: Mean) -> int:
    """A mean out of the sum of its parts' units and their number, in units of its grid."""
    divisor = parts * 10 ** formula.of[0].rounding.decimals
    if formula.arithmetic is Arithmetic.DOUBLE:
        return _rounded(total / divisor, formula.rounding)
    return quotient(total * 10**formula.rounding.decimals, divisor, formula.rounding.mode)


def quotient(numerator: int, divisor: int, mode: RoundingMode) -> int:
    """Quotient in whole numbers, halves to even or up. The divisor is above 0."""
    whole, rest = divmod(numerator, divisor)
    twice = 2 * rest - divisor
    up = twice >= 0 if mode is RoundingMode.HALF_UP else twice > 0 or (twice == 0 and whole % 2 == 1)
    return whole + up


def _nothing(missing: Missing) -> int | None:
    return 0 if missing is Missing.ZERO else None


def _total(parts: Sequence[int | None], missing: Missing) -> int | None:
    known = [part for part in parts if part is not None]
    if missing is Missing.SKIP and not known:
        return None
    if missing is Missing.PROPAGATE and len(known) < len(parts):
        return None
    return sum(known)


def _actors(formula: CountActors, values: Values) -> int | None:
    done, months = values[formula.input], formula.window_months
    if done is None:
        return _nothing(formula.missing)
    if months is not None:
        day = values.get(AS_OF)
        if done and (day is None or not all(one.get("date") for one in done)):
            return _nothing(formula.missing)
        done = [one for one in done if is_recent(one["date"], day, months)]
    return len(actors_of(done) - set(formula.exclude_actors))


def _gated_count(formula: GatedCount, values: Values) -> int | None:
    gate = is_met(formula.gate, values)
    if gate is False:
        return 0
    if gate is None:
        return _nothing(formula.missing)
    return _total([gate, *(is_met(condition, values) for condition in formula.of)], formula.missing)


def _percentage(formula: Percentage, values: Values) -> int | None:
    numerator, denominator = value_of(formula.numerator, values), value_of(formula.denominator, values)
    gone = (
        (numerator is None, formula.numerator_missing),
        (denominator is None, formula.denominator_missing),
        (denominator == 0, formula.denominator_zero),
        (is_implausible(numerator, denominator), formula.implausible),
    )
    if any(holds and policy is Missing.PROPAGATE for holds, policy in gone):
        return None
    return percent(numerator, denominator, formula) if numerator is not None and denominator else 0


def is_implausible(part: int | None, whole: int | None) -> bool:
    """Whether a part exceeds its whole, or either is below 0. What is not known is not implausible."""
    above = part is not None and whole is not None and part > whole
    return above or (part or 0) < 0 or (whole or 0) < 0


def _mean(formula: Mean, parts: list[int | None]) -> int | None:
    total = _total(parts, formula.missing)
    if total is None:
        return None
    skipped = formula.missing is Missing.SKIP
    return mean(total, sum(part is not None for part in parts) if skipped else len(parts), formula)


def _rounded(value: float, rounding: Rounding) -> int:
    scaled = value * 10**rounding.decimals
    return int(round(scaled) if rounding.mode is RoundingMode.HALF_EVEN else math.floor(scaled + 0.5))
