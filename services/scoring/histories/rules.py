"""Rules of histories: which months an assessment is due for, and what a region's months add up to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

EVERY_PERIOD = ""
"""Before any month (YYYY-MM): everything that was ever told may have changed."""
NEWEST_PERIOD = "9999-12"
"""After any month: no fact has changed, only how they are looked at."""

NONE = "none"
"""Stands for "not assessable" where None is "nothing before"."""

_MONTHS = 12


@dataclass(frozen=True)
class Change:
    """Villages whose class changed in a month, from one class (None: nothing was told before) to another.

    To be not assessable stands as a class of its own here, `NONE`.
    """

    period: str
    before: str | None
    after: str
    villages: int


def earliest(changes: Iterable[tuple[UUID, str]]) -> dict[UUID, str]:
    """The earliest month of each village's changes."""
    found: dict[UUID, str] = {}
    for village, period in changes:
        found[village] = min(period, found.get(village, period))
    return found


def due(told: Collection[str], known: Collection[str], since: str) -> list[str]:
    """The months to assess, in order: those from `since` on, and always those from the newest on that has facts.

    `told` are the months of facts, `known` those assessed before: a month keeps its row when its facts are withdrawn.
    """
    begin = min(since, max(told, default=since))
    return sorted({month for month in {*told, *known} if month >= begin})


def months_turned(ends: Iterable[str], today: str) -> set[str]:
    """The months of those days (YYYY-MM-DD) on which something got too old, as far as they have come."""
    return {day[:7] for day in ends if day <= today}


def months_between(first: str, last: str) -> list[str]:
    """Every month (YYYY-MM) from the first to the last, both included."""
    begin, end = (int(month[:4]) * _MONTHS + int(month[5:]) - 1 for month in (first, last))
    return [f"{number // _MONTHS}-{number % _MONTHS + 1:02}" for number in range(begin, end + 1)]


def standing(changes: Sequence[Change], months: Sequence[str], classes: Sequence[str]) -> list[dict[str, int]]:
    """How many villages were in each class at the end of each month; what changed before the first month counts in."""
    place = {month: at for at, month in enumerate(months)}
    deltas = {name: [0] * len(months) for name in classes}
    for change in changes:
        if change.period > months[-1]:
            continue
        at = place.get(change.period, 0)
        deltas[change.after][at] += change.villages
        if change.before is not None:
            deltas[change.before][at] -= change.villages
    summed = {name: list(accumulate(numbers)) for name, numbers in deltas.items()}
    return [{name: summed[name][at] for name in classes} for at in range(len(months))]


def moved(changes: Sequence[Change], month: str, classes: Sequence[str], *, up: bool) -> int:
    """How many villages rose (or fell) in a month; `classes` are ordered from the lowest."""
    return sum(
        change.villages
        for change in changes
        if change.period == month
        and change.before in classes
        and change.after in classes
        and (classes.index(change.after) > classes.index(change.before)) is up
    )
