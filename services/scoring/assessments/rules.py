"""Rules of assessments: what is worth telling, and how old a report is."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from services.scoring.rulesets.engine import Evaluation

_MONTHS = 12


class CompletenessBand(StrEnum):
    """How much of what is asked was reported, in percent; each band ends below where the next begins."""

    NOTHING = "0"
    LITTLE = "1-49"
    HALF = "50-79"
    MOST = "80-99"
    ALL = "100"


class Verdict(NamedTuple):
    """What a village is classed as, apart from when, how often and why; None is not assessable."""

    ruleset: str
    ruleset_digest: str
    village_class: str | None
    scores: dict[str, int | None]
    indexes: dict[str, str | None]
    answered: int
    asked: int
    simulated: bool


VERDICT = Verdict._fields
"""Names of what makes a verdict."""
_TAKE = itemgetter(*VERDICT)


def verdict_in(row: Mapping[str, Any]) -> Verdict:
    """The verdict that a stored row, or the event that told of it, holds."""
    return Verdict._make(_TAKE(row))


def verdict_of(evaluation: Evaluation, place: int, *, simulated: bool) -> Verdict:
    """The verdict on one village of an evaluation."""
    engine, village_class = evaluation.engine, evaluation.village_class(place)
    return Verdict(
        ruleset=engine.ruleset.id,
        ruleset_digest=engine.digest,
        village_class=None if village_class is None else village_class.value,
        scores=evaluation.scores_of(place),
        indexes=evaluation.indexes_of(place),
        answered=int(evaluation.answered[place]),
        asked=len(engine.asked),
        simulated=simulated,
    )


def age_in_months(period: str, today: date) -> int:
    """Whole calendar months from a report's month (YYYY-MM) to today's; 0 for this month's."""
    year, month = period.split("-")
    return (today.year - int(year)) * _MONTHS + today.month - int(month)


@lru_cache(maxsize=1024)
def day_of(month: str | None, today: date) -> date:
    """The day for which villages are assessed as of a month (YYYY-MM): its last, or today where that comes first."""
    if month is None:
        return today
    year, number = map(int, month.split("-"))
    return min(date(year, number, monthrange(year, number)[1]), today)


def last_day_of(today: date, due_on: date | None) -> date:
    """The last day, up to today, for which a stored answer surely holds: the one before time may have changed it."""
    return today if due_on is None else min(today, due_on - timedelta(days=1))


def months_before(today: date, months: int) -> str:
    """The calendar month (YYYY-MM) so many months before today's."""
    year, month = divmod(today.year * _MONTHS + today.month - 1 - months, _MONTHS)
    return f"{year:04d}-{month + 1:02d}"


def percent(part: int, whole: int) -> Decimal | None:
    """A share in percent with one decimal, halves up; None of nothing."""
    if whole == 0:
        return None
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)
