"""What an indicator needs for the next better band: the value, and in people where it is a share of people."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.scoring.rulesets.document import Direction, Mean, Percentage
from services.scoring.rulesets.engine import CompiledIndicator, percent_units
from services.scoring.rulesets.rules import BandEdges
from services.scoring.rulesets.telling import Case


@dataclass(frozen=True)
class NextBand:
    """The next better band: its score, the nearest value in it, how far that is, and in people where that applies.

    `difference` and `count` are above 0; `more` says whether they are to be added or taken away.
    """

    score: int
    value: Decimal
    difference: Decimal
    more: bool
    count: int | None
    text: str


def next_band(case: Case, compiled: CompiledIndicator, units: int) -> NextBand | None:
    """What a value (in units of its grid) needs for the next better band; None in the best one."""
    more = compiled.indicator.direction is Direction.HIGHER
    edges = _next_edges(compiled, units, more=more)
    target = None if edges is None else edges.low if more else edges.high
    if edges is None or target is None:
        return None
    value, difference = (_decimal(compiled, one) for one in (target, abs(target - units)))
    count = _people(case, compiled, target, more=more)
    return NextBand(
        edges.score, value, difference, more, count, _told(case, compiled, edges.score, value, difference, count)
    )


def _decimal(compiled: CompiledIndicator, units: int) -> Decimal:
    return Decimal(units).scaleb(-compiled.span.decimals)


def _next_edges(compiled: CompiledIndicator, units: int, *, more: bool) -> BandEdges | None:
    own = next(place for place, edges in enumerate(compiled.edges) if edges.high is None or units <= edges.high)
    place = own + 1 if more else own - 1
    return compiled.edges[place] if 0 <= place < len(compiled.edges) else None


def _people(case: Case, compiled: CompiledIndicator, target: int, *, more: bool) -> int | None:
    """How many more, or fewer, of a percentage's numerator reach the target while its denominator stays."""
    formula = compiled.indicator.formula
    if not isinstance(formula, Percentage):
        return None
    part, whole = case.units(formula.numerator), case.units(formula.denominator)
    if part is None or not whole or not 0 <= part <= whole:
        return None
    inside, outside = (whole, part) if more else (0, part)
    if not _reaches(formula, inside, whole, target, more=more):
        return None
    while abs(inside - outside) > 1:
        middle = (inside + outside) // 2
        if _reaches(formula, middle, whole, target, more=more):
            inside = middle
        else:
            outside = middle
    return abs(inside - part)


def _reaches(formula: Percentage, part: int, whole: int, target: int, *, more: bool) -> bool:
    units = percent_units(formula, part, whole)
    return units >= target if more else units <= target


def _told(
    case: Case, compiled: CompiledIndicator, score: int, value: Decimal, difference: Decimal, count: int | None
) -> str:
    phrases, indicator = case.phrases, compiled.indicator
    formula, more = indicator.formula, indicator.direction is Direction.HIGHER
    if isinstance(formula, Percentage) and count is not None:
        noun = None if formula.counted is None else phrases.label(formula.counted)
        step = phrases.counted(count, noun, more=more)
    elif isinstance(formula, Percentage | Mean):
        step = phrases.points(difference, more=more)
    else:
        step = phrases.counted(int(difference), None, more=more)
    return phrases.need(step, phrases.with_unit(value, phrases.label(indicator.unit)), score, more=more)
