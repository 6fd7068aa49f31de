"""What explanations say, whatever the language: each phrase once, with the numbers and names that it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal

from contracts.facts import ReportKind
from services.scoring.rulesets.document import Labels

PERCENT = "%"


class Phrases(ABC):
    """The phrases of one language. Numbers come as numbers and names as the ruleset's labels."""

    not_reported: str
    no_value: str
    any_value: str
    yes: str
    no: str
    none: str
    numerator_missing: str
    denominator_missing: str
    denominator_zero: str
    blanks_counted_as_none: str
    dates_missing: str

    @abstractmethod
    def label(self, labels: Labels) -> str:
        """A label of the ruleset document."""

    @abstractmethod
    def number(self, value: Decimal | int) -> str:
        """A number as it is written in running text."""

    @abstractmethod
    def with_unit(self, value: Decimal | int, unit: str) -> str:
        """A value with what it counts."""

    # How a value comes about

    @abstractmethod
    def share(self, part: str, whole: str) -> str:
        """A part of a whole."""

    @abstractmethod
    def mean(self, count: int, parts: str) -> str:
        """The sum of so many percentages over their number."""

    @abstractmethod
    def actors(self, interventions: int, excluded: Sequence[str], months: int | None) -> str:
        """Different actors of so many interventions, without some, of the last months."""

    @abstractmethod
    def counted_as_zero(self, reasons: Sequence[str]) -> str:
        """That a percentage is taken as 0 because of something unknown."""

    @abstractmethod
    def without_value(self, told: str, reasons: Sequence[str], score: int | None) -> str:
        """A formula without a value, why, and what the ruleset makes of it."""

    # Bands

    @abstractmethod
    def at_most(self, value: Decimal, unit: str) -> str: ...

    @abstractmethod
    def at_least(self, value: Decimal, unit: str) -> str: ...

    @abstractmethod
    def between(self, low: Decimal, high: Decimal, unit: str) -> str: ...

    # Why there is no value

    @abstractmethod
    def report_absent(self, kind: ReportKind) -> str: ...

    @abstractmethod
    def answers_missing(self, labels: Sequence[str]) -> str: ...

    @abstractmethod
    def nothing_to_divide_by(self, whole: str) -> str: ...

    @abstractmethod
    def part_above_whole(self, part: str, whole: str) -> str: ...

    @abstractmethod
    def below_zero(self, part: str, whole: str) -> str: ...

    @abstractmethod
    def too_old(self, kind: ReportKind, period: str, age: int, limit: int) -> str: ...

    @abstractmethod
    def age_unknown(self, kind: ReportKind) -> str: ...

    # What the next band needs

    @abstractmethod
    def need(self, difference: str, target: str, score: int, *, more: bool) -> str:
        """So much more or less to reach a value and with it a score."""

    @abstractmethod
    def counted(self, count: int, noun: str | None, *, more: bool) -> str:
        """So many more or fewer of something."""

    @abstractmethod
    def points(self, value: Decimal, *, more: bool) -> str:
        """So many percentage points more or less."""
