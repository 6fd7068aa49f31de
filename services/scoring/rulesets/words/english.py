"""Explanations in English."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from contracts.facts import ReportKind
from services.scoring.rulesets.document import Labels
from services.scoring.rulesets.words.phrases import PERCENT, Phrases

_REPORTS = {
    ReportKind.PROFILE: "profile",
    ReportKind.POPULATION: "population",
    ReportKind.FAMILY_PLANNING: "family planning",
}


class English(Phrases):
    """1,234.5. A ruleset names its units in the plural, so a single one stands as `1 (facilities)`."""

    not_reported = "not reported"
    no_value = "no value"
    any_value = "any value"
    yes = "yes"
    no = "no"
    none = "none"
    numerator_missing = "the numerator was not reported"
    denominator_missing = "the denominator was not reported"
    denominator_zero = "the denominator is 0"
    blanks_counted_as_none = " [what was not reported counts as 0 under the ruleset]"
    dates_missing = "the date of an intervention or of the assessment is not known"

    def label(self, labels: Labels) -> str:
        return labels.en

    def number(self, value: Decimal | int) -> str:
        return f"{value:,}"

    def with_unit(self, value: Decimal | int, unit: str) -> str:
        if unit == PERCENT:
            return f"{self.number(value)}{unit}"
        return f"{self.number(value)} ({unit})" if value == 1 else f"{self.number(value)} {unit}"

    def share(self, part: str, whole: str) -> str:
        return f"{part} of {whole}"

    def mean(self, count: int, parts: str) -> str:
        return f"The sum of {count} percentages divided by {count} ({parts})"

    def actors(self, interventions: int, excluded: Sequence[str], months: int | None) -> str:
        noun = "intervention" if interventions == 1 else "interventions"
        text = f"Different actors in {self.number(interventions)} {noun}"
        if months is not None:
            text += " of the last month" if months == 1 else f" of the last {months} months"
        return f"{text}, without {', '.join(excluded)}" if excluded else text

    def counted_as_zero(self, reasons: Sequence[str]) -> str:
        return f" [{' and '.join(reasons)}: counts as 0% under the ruleset]"

    def without_value(self, told: str, reasons: Sequence[str], score: int | None) -> str:
        result = "Not assessable" if score is None else f"The ruleset gives score {score}"
        return f"{told}. {result}: {'; '.join(reasons)}"

    def at_most(self, value: Decimal, unit: str) -> str:
        return f"at most {self.with_unit(value, unit)}"

    def at_least(self, value: Decimal, unit: str) -> str:
        return f"{self.with_unit(value, unit)} or more"

    def between(self, low: Decimal, high: Decimal, unit: str) -> str:
        return f"{self.number(low)} to {self.with_unit(high, unit)}"

    def report_absent(self, kind: ReportKind) -> str:
        return f"there is no {_REPORTS[kind]} report yet"

    def answers_missing(self, labels: Sequence[str]) -> str:
        return f"not reported: {', '.join(labels)}"

    def nothing_to_divide_by(self, whole: str) -> str:
        return f"nothing to divide by: {whole}"

    def part_above_whole(self, part: str, whole: str) -> str:
        return f"implausible: {part} exceeds {whole}"

    def below_zero(self, part: str, whole: str) -> str:
        return f"implausible: a number is below 0 ({part}; {whole})"

    def too_old(self, kind: ReportKind, period: str, age: int, limit: int) -> str:
        return f"the {_REPORTS[kind]} report of {period} is {_months(age)} old, at most {_months(limit)} are allowed"

    def age_unknown(self, kind: ReportKind) -> str:
        return f"the month of the {_REPORTS[kind]} report or the day of the assessment is not known"

    def need(self, difference: str, target: str, score: int, *, more: bool) -> str:
        return f"{difference} to {'reach' if more else 'come down to'} {target} (score {score})"

    def counted(self, count: int, noun: str | None, *, more: bool) -> str:
        text = f"{self.number(count)} {'more' if more else 'fewer'}"
        return text if noun is None or count == 1 else f"{text} {noun}"

    def points(self, value: Decimal, *, more: bool) -> str:
        noun = "percentage point" if value == 1 else "percentage points"
        return f"{self.number(value)} {'more ' if more else ''}{noun}{'' if more else ' less'}"


def _months(count: int) -> str:
    return "1 month" if count == 1 else f"{count} months"
