"""Village facts as columns: what the engine reads, one array per fact and batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from services.scoring.rulesets.inputs import INTERVENTIONS, InputKind, fact_inputs

VillageFacts = Mapping[str, Any]
"""One village: profile, population, family_planning (each a mapping or None) and interventions (a list or None), each
with its actors and its `date` (YYYY-MM-DD); `periods` the month (YYYY-MM) by kind of report and, where answers are of
another month, by answer group (population.pus); `as_of` the day of the assessment (YYYY-MM-DD). Only rulesets that
look at time need dates, periods and the day."""

PERIODS = "periods"
AS_OF = "as_of"

_UNKNOWN = -1
"""No month number: real ones count from year 0."""

_NOTHING: Mapping[str, Any] = {}
_NUMERIC = frozenset({InputKind.ANSWER, InputKind.COUNT})


@dataclass(frozen=True)
class NumberColumn:
    """Counts, or answers as 1 and 0; 0 where not reported."""

    values: npt.NDArray[np.int64]
    reported: npt.NDArray[np.bool_]


class Columns:
    """The facts of a batch by path; the counts and answers of one group are read together, once."""

    def __init__(self, villages: Sequence[VillageFacts], paths: Collection[str]) -> None:
        """`paths` are the facts that will be asked for."""
        self.size = len(villages)
        self._groups: dict[str, list[Mapping[str, Any]]] = {"": list(villages)}
        self._fields: dict[str, list[str]] = {}
        self._numbers: dict[str, NumberColumn] = {}
        self._choices: dict[str, npt.NDArray[np.int64]] = {}
        self._reported: dict[str, npt.NDArray[np.bool_]] = {}
        self._present: dict[str, npt.NDArray[np.bool_]] = {}
        self._months: dict[str, npt.NDArray[np.int64]] = {}
        for path in paths:
            if fact_inputs()[path].kind in _NUMERIC:
                group, _, field = path.rpartition(".")
                self._fields.setdefault(group, []).append(field)

    def present(self, section: str) -> npt.NDArray[np.bool_]:
        """Where the whole section was reported at all."""
        if section not in self._present:
            self._present[section] = self._flags(village.get(section) is not None for village in self._groups[""])
        return self._present[section]

    def numbers(self, path: str) -> NumberColumn:
        """A count or answer. Counts must fit 53 bits, which the fact models guarantee."""
        if path not in self._numbers:
            self._read_numbers(path.rpartition(".")[0])
        return self._numbers[path]

    def distinct_choices(self, path: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """How many different codes were chosen, and where the question was answered."""
        if path not in self._choices:
            counts = (len(set(codes)) if codes else 0 for codes in self._raw(path))
            self._choices[path] = np.fromiter(counts, np.int64, self.size)
        return self._choices[path], self.reported(path)

    def distinct_actors(self, excluded: frozenset[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """How many different actors took part in all interventions together, and where interventions are known."""
        counts = np.fromiter((len(actors - excluded) for actors in self._actors), np.int64, self.size)
        return counts, self.reported(INTERVENTIONS)

    def recent_actors(
        self, excluded: frozenset[Any], months: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """As `distinct_actors`, of the interventions of so many months up to each village's day only.

        Known is the count where every intervention has a date and the village a day.
        """
        counts = np.zeros(self.size, dtype=np.int64)
        known = np.zeros(self.size, dtype=np.bool_)
        for row, village in enumerate(self._groups[""]):
            done, day = village.get(INTERVENTIONS), village.get(AS_OF)
            if done is not None:
                recent = [one for one in done if is_recent(one.get("date"), day, months)]
                counts[row] = len(_actors_of(recent) - excluded)
                known[row] = not done or (day is not None and all(one.get("date") for one in done))
        return counts, known

    def stale(self, path: str, limit: int) -> npt.NDArray[np.bool_]:
        """Where a report or an answer (by its path) is older than so many months, or nobody can say how old it is."""
        day, months = self._days, self._months_of(path)
        stale: npt.NDArray[np.bool_] = (self.age_unknown(path) | (day - months > limit)) & self.present(
            path.partition(".")[0]
        )
        return stale

    def age_unknown(self, path: str) -> npt.NDArray[np.bool_]:
        """Where nobody can say how old a report or an answer is."""
        unknown: npt.NDArray[np.bool_] = (self._days == _UNKNOWN) | (self._months_of(path) == _UNKNOWN)
        return unknown

    @cached_property
    def _days(self) -> npt.NDArray[np.int64]:
        """Each village's day as a month number."""
        return self._month_numbers(village.get(AS_OF) for village in self._groups[""])

    @cached_property
    def _periods(self) -> dict[str, list[tuple[int, int]]]:
        """By report or answer, which villages name a month for it, as row and month number."""
        found: dict[str, list[tuple[int, int]]] = {}
        for row, village in enumerate(self._groups[""]):
            for place, period in (village.get(PERIODS) or _NOTHING).items():
                found.setdefault(place, []).append((row, _month_number(period)))
        return found

    def _months_of(self, path: str) -> npt.NDArray[np.int64]:
        """The month number that a report or an answer is of: that of the closest group above it that has one."""
        if path not in self._months:
            outer = path.rpartition(".")[0]
            months = self._months_of(outer) if outer else np.full(self.size, _UNKNOWN, dtype=np.int64)
            if path in self._periods:
                rows, numbers = zip(*self._periods[path], strict=True)
                months = months.copy()
                months[list(rows)] = numbers
            self._months[path] = months
        return self._months[path]

    def _month_numbers(self, texts: Iterable[str | None]) -> npt.NDArray[np.int64]:
        return np.fromiter((_month_number(text) if text else _UNKNOWN for text in texts), np.int64, self.size)

    def reported(self, path: str) -> npt.NDArray[np.bool_]:
        """Where a fact was reported."""
        if fact_inputs()[path].kind in _NUMERIC:
            return self.numbers(path).reported
        if path not in self._reported:
            self._reported[path] = self._flags(value is not None for value in self._raw(path))
        return self._reported[path]

    @cached_property
    def _actors(self) -> list[set[Any]]:
        """Who took part in each village's interventions."""
        return [_actors_of(done or ()) for done in self._raw(INTERVENTIONS)]

    def _flags(self, flags: Any) -> npt.NDArray[np.bool_]:
        return np.fromiter(flags, np.bool_, self.size)

    def _read_numbers(self, group: str) -> None:
        facts, fields = self._group(group), self._fields[group]
        # None becomes NaN in one pass of numpy, several times faster than a Python loop with a test.
        raw = np.array([[own.get(field) for own in facts] for field in fields], dtype=np.float64)
        missing = np.isnan(raw)
        values = np.where(missing, 0, raw).astype(np.int64)
        for place, field in enumerate(fields):
            self._numbers[f"{group}.{field}"] = NumberColumn(values[place], ~missing[place])

    def _raw(self, path: str) -> list[Any]:
        group, _, field = path.rpartition(".")
        return [village.get(field) for village in self._group(group)]

    def _group(self, path: str) -> list[Mapping[str, Any]]:
        if path not in self._groups:
            outer, _, field = path.rpartition(".")
            self._groups[path] = [village.get(field) or _NOTHING for village in self._group(outer)]
        return self._groups[path]


def _actors_of(interventions: Iterable[Mapping[str, Any]]) -> set[Any]:
    return set().union(*(done.get("actors") or () for done in interventions))


def is_recent(date: str | None, day: str | None, months: int) -> bool:
    """Whether something happened in so many months up to a day, that day included; unknown dates did not."""
    return date is not None and day is not None and months_before(day, months) < date <= day


@lru_cache(maxsize=1024)
def months_before(day: str, months: int) -> str:
    """The same day of an earlier month (YYYY-MM-DD).

    The 31st of a month of 30 days stands for its end; as text it is compared like any date.
    """
    number = _month_number(day) - months
    return f"{number // 12:04}-{number % 12 + 1:02}-{day[8:10]}"


def period_of(village: VillageFacts, path: str) -> str | None:
    """The month that a report or an answer is of: that of the closest group above it that has one."""
    periods: Mapping[str, str] = village.get(PERIODS) or _NOTHING
    while path:
        if path in periods:
            return periods[path]
        path = path.rpartition(".")[0]
    return None


def age_in_months(village: VillageFacts, path: str) -> int | None:
    """Whole calendar months from the month of a report or an answer to the village's day; None where unknown."""
    period, day = period_of(village, path), village.get(AS_OF)
    return None if period is None or day is None else _month_number(day) - _month_number(period)


@lru_cache(maxsize=1024)
def _month_number(text: str) -> int:
    return int(text[:4]) * 12 + int(text[5:7]) - 1
