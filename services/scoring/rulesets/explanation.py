"""Why a village got its scores: inputs used, formula in words and numbers, band. Built for one village at a time.

The words are Indonesian: programme officers read them. Everything is told from the ruleset document; no indicator,
input or class is known here by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contracts.classes import VillageClass
from services.scoring.rulesets.columns import Columns, VillageFacts
from services.scoring.rulesets.document import (
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    FirstReported,
    Formula,
    GatedCount,
    Input,
    Labels,
    Mean,
    Missing,
    Percentage,
    Ruleset,
    Sum,
    operands,
)
from services.scoring.rulesets.engine import CompiledIndicator, Engine, Evaluation, formula_value
from services.scoring.rulesets.inputs import InputKind, fact_inputs

_NOT_REPORTED = "tidak dilaporkan"
_REPORT_NAMES = {"profile": "profil", "population": "kependudukan", "family_planning": "program Bangga Kencana"}


@dataclass(frozen=True)
class InputUsed:
    """One raw input of an indicator; `value` None means not reported."""

    input: str
    labels: Labels
    value: bool | int | list[str] | None
    asked: bool


@dataclass(frozen=True)
class BandMatched:
    """The band a value lies in, in the ruleset's own numbers; None is an open end."""

    low: Decimal | None
    high: Decimal | None
    text: str


@dataclass(frozen=True)
class IndicatorExplanation:
    """One score with everything it rests on. `value` is None where a missing report or answer decided the score."""

    code: str
    dimension: str
    labels: Labels
    unit: Labels
    score: int | None
    value: Decimal | None
    formula: str
    band: BandMatched | None
    inputs: list[InputUsed]
    not_reported: list[str]


@dataclass(frozen=True)
class VillageExplanation:
    """The whole answer for one village under one ruleset."""

    village_class: VillageClass | None
    indexes: dict[str, str | None]
    met: set[str]
    indicators: list[IndicatorExplanation]
    not_reported: list[str]
    answered: int
    asked: int


def explain(engine: Engine, village: VillageFacts) -> VillageExplanation:
    """Score one village and say why. Same engine, same result as in a batch."""
    evaluation = engine.evaluate([village])
    columns = Columns([village], engine.paths)
    indicators = [_indicator(engine, place, evaluation, columns, village) for place in range(len(engine.indicators))]
    return VillageExplanation(
        village_class=evaluation.village_class(0),
        indexes=evaluation.indexes_of(0),
        met=evaluation.met_of(0),
        indicators=indicators,
        not_reported=[path for path in engine.asked if not columns.reported(path)[0]],
        answered=int(evaluation.answered[0]),
        asked=len(engine.asked),
    )


def _indicator(
    engine: Engine, place: int, evaluation: Evaluation, columns: Columns, village: VillageFacts
) -> IndicatorExplanation:
    compiled = engine.indicators[place]
    indicator = compiled.indicator
    units = None if evaluation.missing[0, place] else int(evaluation.values[0, place])
    score = int(evaluation.scores[0, place]) or None
    inputs = [_input_used(engine.ruleset, path, village) for path in engine.inputs_of[indicator.code]]
    return IndicatorExplanation(
        code=indicator.code,
        dimension=indicator.dimension,
        labels=indicator.labels,
        unit=indicator.unit,
        score=score,
        value=None if units is None else Decimal(units).scaleb(-compiled.span.decimals),
        formula=_formula_text(engine.ruleset, compiled, units, score, columns, village),
        band=None if units is None else _band(compiled, evaluation, place),
        inputs=inputs,
        not_reported=[used.input for used in inputs if used.value is None and used.asked],
    )


def _input_used(ruleset: Ruleset, path: str, village: VillageFacts) -> InputUsed:
    label = ruleset.input_label(path)
    value = fact_at(village, path)
    if fact_inputs()[path].kind is InputKind.INTERVENTIONS and value is not None:
        value = len(value)
    return InputUsed(path, label.labels, value, label.asked)


def fact_at(village: Mapping[str, Any], path: str) -> Any:
    """The raw value at a dotted path, None where it or anything above it was not reported."""
    value: Any = village
    for name in path.split("."):
        if value is None:
            return None
        value = value.get(name)
    return value


def _band(compiled: CompiledIndicator, evaluation: Evaluation, place: int) -> BandMatched:
    edges = compiled.edges[int(compiled.band_of(evaluation.values[:1, place])[0])]
    low, high = (
        None if end is None else Decimal(end).scaleb(-compiled.span.decimals) for end in (edges.low, edges.high)
    )
    return BandMatched(low, high, _band_text(low, high, compiled.indicator.unit.id))


def _band_text(low: Decimal | None, high: Decimal | None, unit: str) -> str:
    if low is None:
        return f"paling banyak {_with_unit(high, unit)}"
    if high is None:
        return f"{_with_unit(low, unit)} atau lebih"
    return _with_unit(low, unit) if low == high else f"{_number(low)} sampai {_with_unit(high, unit)}"


def _formula_text(
    ruleset: Ruleset,
    compiled: CompiledIndicator,
    units: int | None,
    score: int | None,
    columns: Columns,
    village: VillageFacts,
) -> str:
    indicator = compiled.indicator
    absent = [_REPORT_NAMES[kind.value] for kind in indicator.requires if not columns.present(kind.value)[0]]
    told = _Teller(ruleset, columns, village, noting=units is not None).told(indicator.formula)
    if units is not None:
        value = Decimal(units).scaleb(-compiled.span.decimals)
        return f"{told} = {_with_unit(value, indicator.unit.id)}{_counted_as_none(indicator.formula, village)}"
    why = f"laporan {' dan '.join(absent)} belum ada" if absent else "yang dibutuhkan belum dilaporkan"
    result = "tidak dapat dinilai" if score is None else f"skor {score} ditetapkan aturan"
    return f"{told}: {why}, {result}"


def _counted_as_none(formula: Formula, village: VillageFacts) -> str:
    """Says so where the ruleset counts an answer that was not given as if there were none: missing is not zero."""
    counts = isinstance(formula, CountMet | GatedCount | CountChoices) and formula.missing is Missing.ZERO
    if not counts or all(fact_at(village, leaf.input) is not None for leaf in operands(formula)):
        return ""
    return " [yang tidak dilaporkan dihitung 0 menurut aturan]"


class _Teller:
    """Tells a formula in Indonesian with the numbers of one village."""

    def __init__(self, ruleset: Ruleset, columns: Columns, village: VillageFacts, *, noting: bool) -> None:
        """`noting` adds where the ruleset counts something unknown as 0; pointless where no value came of it."""
        self.ruleset = ruleset
        self.columns = columns
        self.village = village
        self.noting = noting

    def told(self, formula: Formula) -> str:
        match formula:
            case Input() | Sum() | FirstReported():
                text = self._number(formula)
            case Percentage():
                text = self._percentage(formula)
            case Mean():
                parts = "; ".join(self._part(part) for part in formula.of)
                text = f"Jumlah {len(formula.of)} persentase dibagi {len(formula.of)} ({parts})"
            case CountMet():
                text = "; ".join(self._condition(condition) for condition in formula.of)
            case GatedCount():
                text = "; ".join(self._condition(condition) for condition in [formula.gate, *formula.of])
            case CountChoices():
                text = self._choices(formula)
            case CountActors():
                text = self._actors(formula)
        return text

    def _label(self, path: str) -> str:
        return self.ruleset.input_label(path).labels.id

    def _number(self, formula: Input | Sum | FirstReported) -> str:
        match formula:
            case Input():
                value = fact_at(self.village, formula.input)
                return f"{self._label(formula.input)} {_NOT_REPORTED if value is None else _number(value)}"
            case Sum() if all(fact_at(self.village, part.input) is None for part in formula.of):
                return f"({', '.join(self._label(part.input) for part in formula.of)} {_NOT_REPORTED})"
            case Sum():
                return f"({' + '.join(self._number(part) for part in formula.of)})"
            case FirstReported():
                used = (part for part in formula.of if not formula_value(part, self.columns).missing[0])
                return self._number(next(used, formula.of[0]))

    def _part(self, formula: Percentage) -> str:
        value = formula_value(formula, self.columns)
        if value.missing[0]:
            return f"{self._percentage(formula)} = {_NOT_REPORTED}"
        shown = Decimal(int(value.units[0])).scaleb(-formula.rounding.decimals)
        return f"{self._percentage(formula)} = {_with_unit(shown, '%')}"

    def _percentage(self, formula: Percentage) -> str:
        text = f"{self._number(formula.numerator)} dari {self._number(formula.denominator)}"
        numerator = formula_value(formula.numerator, self.columns)
        denominator = formula_value(formula.denominator, self.columns)
        reasons = {
            "pembilang tidak dilaporkan": numerator.missing[0],
            "penyebut tidak dilaporkan": denominator.missing[0],
            "penyebut 0": not denominator.missing[0] and denominator.units[0] == 0,
        }
        told = " dan ".join(reason for reason, holds in reasons.items() if holds)
        if told and self.noting and not formula_value(formula, self.columns).missing[0]:
            text += f" [{told}: dihitung 0% menurut aturan]"
        return text

    def _condition(self, condition: Condition) -> str:
        value = fact_at(self.village, condition.input)
        if value is None:
            shown = _NOT_REPORTED
        elif condition.above is None:
            shown = "ya" if value else "tidak"
        else:
            shown = _number(value)
        return f"{self._label(condition.input)}: {shown}"

    def _choices(self, formula: CountChoices) -> str:
        label = self.ruleset.input_label(formula.input)
        chosen = fact_at(self.village, formula.input)
        if chosen is None:
            return f"{label.labels.id}: {_NOT_REPORTED}"
        names = {code: labels.id for code, labels in (label.choices or {}).items()}
        shown = ", ".join(names.get(code, code) for code in dict.fromkeys(chosen)) or "tidak ada"
        return f"{label.labels.id}: {shown}"

    def _actors(self, formula: CountActors) -> str:
        done = fact_at(self.village, formula.input)
        if done is None:
            return f"{self._label(formula.input)}: {_NOT_REPORTED}"
        text = f"Pelaksana yang berbeda pada {len(done)} intervensi"
        if formula.exclude_actors:
            text += f", tanpa {', '.join(str(actor) for actor in formula.exclude_actors)}"
        return text


def _number(value: Decimal | int) -> str:
    """A number as Indonesians write it: 1.234,5."""
    return f"{value:,}".translate(str.maketrans(",.", ".,"))


def _with_unit(value: Decimal | int | None, unit: str) -> str:
    shown = "" if value is None else _number(value)
    return f"{shown}{unit}" if unit == "%" else f"{shown} {unit}"
