"""Tells a formula with the numbers of one village, in the phrases of one language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.scoring.rulesets.columns import AS_OF, Columns, VillageFacts, is_recent
from services.scoring.rulesets.document import (
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
    Ruleset,
    Sum,
    operands,
)
from services.scoring.rulesets.engine import formula_value
from services.scoring.rulesets.words.phrases import PERCENT, Phrases


def fact_at(village: Mapping[str, Any], path: str) -> Any:
    """The raw value at a dotted path, None where it or anything above it was not reported."""
    value: Any = village
    for name in path.split("."):
        if value is None:
            return None
        value = value.get(name)
    return value


@dataclass(frozen=True)
class Case:
    """One village under one ruleset, told in one language; `columns` hold this village alone."""

    ruleset: Ruleset
    village: VillageFacts
    columns: Columns
    phrases: Phrases

    def label(self, path: str) -> str:
        return self.phrases.label(self.ruleset.input_label(path).labels)

    def fact(self, path: str) -> Any:
        return fact_at(self.village, path)

    def units(self, formula: Formula) -> int | None:
        """The formula's value in units of its grid, None where it has none."""
        value = formula_value(formula, self.columns)
        return None if value.missing[0] else int(value.units[0])


def formula_told(case: Case, formula: Formula, *, noting: bool) -> str:
    """A formula in words and numbers; `noting` says where the ruleset counts something unknown as 0."""
    match formula:
        case Input() | Sum() | FirstReported():
            text = number_told(case, formula)
        case Percentage():
            text = _percentage(case, formula, noting=noting)
        case Mean():
            parts = "; ".join(_part(case, part, noting=noting) for part in formula.of)
            text = case.phrases.mean(len(formula.of), parts)
        case CountMet():
            text = "; ".join(_condition(case, condition) for condition in formula.of)
        case GatedCount():
            text = "; ".join(_condition(case, condition) for condition in [formula.gate, *formula.of])
        case CountChoices():
            text = _choices(case, formula)
        case CountActors():
            text = _actors(case, formula)
    return text


def blanks_told(case: Case, formula: Formula) -> str:
    """Says so where the ruleset counts an answer that was not given as if there were none: missing is not zero."""
    counts = isinstance(formula, CountMet | GatedCount | CountChoices) and formula.missing is Missing.ZERO
    if not counts or all(case.fact(leaf.input) is not None for leaf in operands(formula)):
        return ""
    return case.phrases.blanks_counted_as_none


def number_told(case: Case, formula: Input | Sum | FirstReported) -> str:
    """A whole number with what it counts, and how it is put together."""
    phrases = case.phrases
    match formula:
        case Input():
            value = case.fact(formula.input)
            return f"{case.label(formula.input)} {phrases.not_reported if value is None else phrases.number(value)}"
        case Sum() if all(case.fact(part.input) is None for part in formula.of):
            return f"({', '.join(case.label(part.input) for part in formula.of)} {phrases.not_reported})"
        case Sum():
            return f"({' + '.join(number_told(case, part) for part in formula.of)})"
        case FirstReported():
            used = (part for part in formula.of if case.units(part) is not None)
            return number_told(case, next(used, formula.of[0]))


def _part(case: Case, formula: Percentage, *, noting: bool) -> str:
    units = case.units(formula)
    told = _percentage(case, formula, noting=noting)
    if units is None:
        return f"{told} = {case.phrases.no_value}"
    return f"{told} = {case.phrases.with_unit(Decimal(units).scaleb(-formula.rounding.decimals), PERCENT)}"


def _percentage(case: Case, formula: Percentage, *, noting: bool) -> str:
    phrases = case.phrases
    part, whole = case.units(formula.numerator), case.units(formula.denominator)
    if formula.sentence is None:
        text = phrases.share(number_told(case, formula.numerator), number_told(case, formula.denominator))
    else:
        named = {"numerator": part, "denominator": whole}
        shown = {name: f"({phrases.not_reported})" if n is None else phrases.number(n) for name, n in named.items()}
        text = phrases.label(formula.sentence).format(**shown)
    reasons = {
        phrases.numerator_missing: part is None,
        phrases.denominator_missing: whole is None,
        phrases.denominator_zero: whole == 0,
    }
    told = [reason for reason, holds in reasons.items() if holds]
    if told and noting and case.units(formula) is not None:
        text += phrases.counted_as_zero(told)
    return text


def _condition(case: Case, condition: Condition) -> str:
    phrases, value = case.phrases, case.fact(condition.input)
    if value is None:
        shown = phrases.not_reported
    elif condition.above is None:
        shown = phrases.yes if value else phrases.no
    else:
        shown = phrases.number(value)
    return f"{case.label(condition.input)}: {shown}"


def _choices(case: Case, formula: CountChoices) -> str:
    phrases, label = case.phrases, case.ruleset.input_label(formula.input)
    chosen = case.fact(formula.input)
    if chosen is None:
        return f"{phrases.label(label.labels)}: {phrases.not_reported}"
    names = {code: phrases.label(labels) for code, labels in (label.choices or {}).items()}
    shown = ", ".join(names.get(code, code) for code in dict.fromkeys(chosen)) or phrases.none
    return f"{phrases.label(label.labels)}: {shown}"


def _actors(case: Case, formula: CountActors) -> str:
    done, months = case.fact(formula.input), formula.window_months
    if done is None:
        return f"{case.label(formula.input)}: {case.phrases.not_reported}"
    if months is not None:
        done = [one for one in done if is_recent(one.get("date"), case.village.get(AS_OF), months)]
    return case.phrases.actors(len(done), [str(actor) for actor in formula.exclude_actors], months)
