"""On which days time alone may change what a ruleset answers: where a report gets too old, or an intervention too.

Days are text (YYYY-MM-DD), as the engine reads them. A day that is named may turn out to change nothing; on a day that is
not named nothing changes.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import lru_cache

from services.scoring.rulesets.columns import AS_OF, PERIODS, VillageFacts
from services.scoring.rulesets.inputs import INTERVENTIONS

_MONTHS = 12


def next_turn(village: VillageFacts, windows: Collection[int], limits: Mapping[str, int]) -> str | None:
    """The first day after a village's day on which its answer may be another; None where time changes nothing any more.

    `windows` in months, `limits` in months by kind of report.
    """
    return min((day for day in _turns(village, windows, limits) if day > village[AS_OF]), default=None)


def _turns(village: VillageFacts, windows: Collection[int], limits: Mapping[str, int]) -> Iterator[str]:
    for done in village.get(INTERVENTIONS) or ():
        for months in windows:
            yield done["date"]  # where it still lies ahead
            yield window_end(done["date"], months)
    for place, period in (village.get(PERIODS) or {}).items():
        limit = limits.get(place.partition(".")[0])
        if limit is not None:
            yield too_old_from(period, limit)


@lru_cache(maxsize=4096)
def window_end(day: str, months: int) -> str:
    """The first day on which what was done on a day lies outside a window of so many months.

    That is the same day of the later month or, where that month is too short to have it, the first after it.
    """
    year, month = _later(day, months)
    if int(day[8:10]) <= monthrange(year, month)[1]:
        return f"{year:04}-{month:02}-{day[8:10]}"
    return _first_day(*_later(day, months + 1))


@lru_cache(maxsize=4096)
def too_old_from(period: str, limit: int) -> str:
    """The first day on which a report of a month (YYYY-MM) is older than so many months."""
    return _first_day(*_later(period, limit + 1))


def month_of(day: str | date) -> str:
    """The month (YYYY-MM) of a day."""
    return str(day)[:7]


def _later(day: str, months: int) -> tuple[int, int]:
    year, month = divmod(int(day[:4]) * _MONTHS + int(day[5:7]) - 1 + months, _MONTHS)
    return year, month + 1


def _first_day(year: int, month: int) -> str:
    return f"{year:04}-{month:02}-01"
