"""The engine: a ruleset compiled once, then array operations over a batch of villages.

One village and the whole country go through the same code. All values are whole numbers in units of the grid their
formula rounds to, so nothing but a division marked `double` can depend on floating point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.classes import VillageClass
from services.scoring.rulesets.columns import Columns, VillageFacts
from services.scoring.rulesets.distances import distances_to_next_class, finest_decimals
from services.scoring.rulesets.document import (
    Arithmetic,
    Condition,
    CountActors,
    CountChoices,
    CountMet,
    FirstReported,
    Formula,
    GatedCount,
    Indicator,
    Input,
    Mean,
    Missing,
    Percentage,
    Rounding,
    RoundingMode,
    Ruleset,
    Sum,
    band_edges,
    operands,
    span_of,
)
from services.scoring.rulesets.inputs import fact_inputs
from services.scoring.rulesets.rules import BandEdges, Span, common_weights

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NOT_ASSESSABLE = 0
"""Stands for "no score", "no index" and "no class" in the arrays of a result; real scores and indexes start at 1."""


@dataclass(frozen=True)
class Value:
    """A formula's value for each village: units of its grid, and where it is missing (units are 0 there)."""

    units: Ints
    missing: Bools


@dataclass(frozen=True)
class CompiledIndicator:
    """An indicator with its bands as arrays: band k holds the values from starts[k] up to starts[k + 1]."""

    indicator: Indicator
    span: Span
    edges: list[BandEdges]
    starts: Ints
    scores: npt.NDArray[np.int8]
    score_when_missing: int

    def band_of(self, units: Ints) -> npt.NDArray[np.intp]:
        """Which band each value lies in. Values below the first band (implausible facts) count as its lowest value."""
        return np.maximum(np.searchsorted(self.starts, units, side="right") - 1, 0)


@dataclass(frozen=True)
class CompiledDimension:
    """A dimension with the columns of its indicators, their weights and its threshold in units of its index."""

    code: str
    columns: list[int]
    weights: Ints
    decimals: int
    mode: RoundingMode
    threshold: int
    propagate: bool


@dataclass(frozen=True)
class Evaluation:
    """What a batch of n villages is scored as, column by column, in the order they came in.

    scores: n x indicators, 1-4, 0 = not assessable. indexes: n x dimensions in units of the dimension's rounding,
    0 = not assessable. classes: n places in the ruleset's list of classes, -1 = not assessable. values, missing: n x
    indicators, in units of each indicator's grid. answered: of the `asked` inputs, how many each village reported.
    """

    engine: Engine
    scores: npt.NDArray[np.int8]
    indexes: Ints
    classes: npt.NDArray[np.int8]
    values: Ints
    missing: Bools
    answered: npt.NDArray[np.int32]
    columns: Columns
    """What it was evaluated from."""

    def __len__(self) -> int:
        return len(self.classes)

    def met_of(self, row: int) -> set[str]:
        """Codes of the dimensions that reach their threshold."""
        pairs = zip(self.engine.dimensions, self.indexes[row].tolist(), strict=True)
        return {dimension.code for dimension, units in pairs if units >= dimension.threshold}

    def village_class(self, row: int) -> VillageClass | None:
        place = self._class_places[row]
        return None if place < 0 else self.engine.classes[place]

    def scores_of(self, row: int) -> dict[str, int | None]:
        """Score by indicator code."""
        return dict(zip(self.engine.codes, self._score_rows[row], strict=True))

    def indexes_of(self, row: int) -> dict[str, str | None]:
        """Index as decimal string by dimension code."""
        pairs = zip(self.engine.dimensions, self._index_rows[row], strict=True)
        return {dimension.code: as_decimal(units, dimension.decimals) for dimension, units in pairs}

    def distance_of(self, row: int) -> str | None:
        """Index points that a village lacks for a higher class, as decimal string; None where there is none higher."""
        return as_decimal(self._distances[row], finest_decimals(self.engine))

    @cached_property
    def _distances(self) -> list[int]:
        found: list[int] = distances_to_next_class(self.engine, self.indexes, self.classes).tolist()
        return found

    @cached_property
    def _class_places(self) -> list[int]:
        places: list[int] = self.classes.tolist()
        return places

    @cached_property
    def _score_rows(self) -> list[list[int | None]]:
        """All scores as Python numbers, None where there is none: converted once, far cheaper than row by row."""
        rows = self.scores.astype(object)
        rows[self.scores == NOT_ASSESSABLE] = None
        scores: list[list[int | None]] = rows.tolist()
        return scores

    @cached_property
    def _index_rows(self) -> list[list[int]]:
        rows: list[list[int]] = self.indexes.tolist()
        return rows

    def summary_of(self, row: int) -> dict[str, Any]:
        """Scores by indicator, `index_<dimension>` as decimal strings, `class`: the shape of the parity cases."""
        indexes = {f"index_{code}": index for code, index in self.indexes_of(row).items()}
        return {**self.scores_of(row), **indexes, "class": self.village_class(row)}


@cache
def as_decimal(units: int, decimals: int) -> str | None:
    """An index as decimal string with all its places, or None where there is none."""
    return None if units == NOT_ASSESSABLE else str(Decimal(units).scaleb(-decimals))


class Engine:
    """A ruleset made ready to score. Holds no state of the villages it scored."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.classes = [label.code for label in ruleset.classes]
        self.digest = ruleset.digest
        self.paths = [label.path for label in ruleset.inputs]
        self.asked = [label.path for label in ruleset.inputs if label.asked]
        self.indicators = [_compile_indicator(indicator) for indicator in ruleset.indicators]
        self.codes = [indicator.code for indicator in ruleset.indicators]
        self.dimensions = [_compile_dimension(ruleset, place) for place in range(len(ruleset.dimensions))]
        self.limits: dict[str, int] = {limit.report.value: limit.max_age_months for limit in ruleset.freshness}
        self.windows = ruleset.windows
        self.looks_at_time = ruleset.looks_at_time
        self.may_give_no_class = ruleset.may_give_no_class
        self.class_of_met = _class_table(ruleset)
        """Place of the class for every combination of met thresholds; bit k stands for dimension k."""

    @cached_property
    def inputs_of(self) -> dict[str, list[str]]:
        """Paths each indicator reads, in the order of its formula."""
        return {
            compiled.indicator.code: list(dict.fromkeys(leaf.input for leaf in operands(compiled.indicator.formula)))
            for compiled in self.indicators
        }

    def evaluate(self, villages: Sequence[VillageFacts]) -> Evaluation:
        """Score villages, in their order.

        Each is a mapping with profile, population, family_planning (null = never reported) and interventions (each
        with its actors and date), and for rulesets that look at time the months of the reports and the day of the
        assessment (see `VillageFacts`); keys that are absent count as not reported, or not known.
        """
        return self.evaluate_columns(Columns(villages, self.paths))

    def evaluate_columns(self, columns: Columns) -> Evaluation:
        """Score villages that were read into columns, which must have all of the ruleset's paths."""
        values = [self._value(compiled, columns) for compiled in self.indicators]
        scores = np.empty((columns.size, len(values)), dtype=np.int8)
        for place, (compiled, value) in enumerate(zip(self.indicators, values, strict=True)):
            banded = compiled.scores[compiled.band_of(value.units)]
            scores[:, place] = np.where(value.missing, compiled.score_when_missing, banded)
        indexes = np.stack([dimension_index(dimension, scores) for dimension in self.dimensions], axis=1)
        return Evaluation(
            engine=self,
            scores=scores,
            indexes=indexes,
            classes=self.classes_of(indexes),
            values=np.stack([value.units for value in values], axis=1),
            missing=np.stack([value.missing for value in values], axis=1),
            answered=self._answered(columns),
            columns=columns,
        )

    def _value(self, compiled: CompiledIndicator, columns: Columns) -> Value:
        value = formula_value(compiled.indicator.formula, columns)
        for kind in compiled.indicator.requires:
            absent = ~columns.present(kind.value)
            value = Value(np.where(absent, 0, value.units), value.missing | absent)
        return _blanked(value.units, value.missing | self._stale(compiled, columns)) if self.limits else value

    def _stale(self, compiled: CompiledIndicator, columns: Columns) -> Bools:
        """Where a report that must exist, or an answer that the value comes from, is older than the ruleset allows."""
        stale = _stale_answers(compiled.indicator.formula, columns, self.limits)
        for kind in compiled.indicator.requires:
            if kind.value in self.limits:
                stale = stale | columns.stale(kind.value, self.limits[kind.value])
        return stale

    def classes_of(self, indexes: Ints) -> npt.NDArray[np.int8]:
        """Places in `classes` by indexes (n x dimensions); -1 where one of them is not assessable."""
        thresholds = np.array([dimension.threshold for dimension in self.dimensions])
        met = (indexes >= thresholds) @ (1 << np.arange(len(self.dimensions)))
        whole = (indexes != NOT_ASSESSABLE).all(axis=1)
        return np.where(whole, self.class_of_met[met], -1).astype(np.int8)

    def _answered(self, columns: Columns) -> npt.NDArray[np.int32]:
        answered = np.zeros(columns.size, dtype=np.int32)
        for path in self.asked:
            answered += columns.reported(path)
        return answered


def formula_value(formula: Formula, columns: Columns) -> Value:
    """The value of a formula for every village of the columns."""
    match formula:
        case Input():
            count = columns.numbers(formula.input)
            value = Value(count.values, ~count.reported)
        case Sum():
            value = _sum([formula_value(part, columns) for part in formula.of], formula.missing)
        case FirstReported():
            value = _first_reported([formula_value(part, columns) for part in formula.of])
        case Percentage():
            value = _percentage(formula, columns)
        case Mean():
            value = _mean(formula, columns)
        case CountMet():
            value = _sum([_met(condition, columns) for condition in formula.of], formula.missing)
        case GatedCount():
            value = _gated_count(formula, columns)
        case CountChoices():
            value = _or_zero(columns.distinct_choices(formula.input), formula.missing)
        case CountActors():
            value = _or_zero(_actors(formula, columns), formula.missing)
    return value


def _actors(formula: CountActors, columns: Columns) -> tuple[Ints, Bools]:
    excluded = frozenset(formula.exclude_actors)
    if formula.window_months is None:
        return columns.distinct_actors(excluded)
    return columns.recent_actors(excluded, formula.window_months)


def _stale_answers(formula: Formula, columns: Columns, limits: Mapping[str, int]) -> Bools:
    """Where an answer that the formula's value comes from is too old. Of alternatives only the one used counts."""
    stale: Bools = np.zeros(columns.size, dtype=np.bool_)
    match formula:
        case Percentage():
            stale |= _stale_answers(formula.numerator, columns, limits)
            stale |= _stale_answers(formula.denominator, columns, limits)
        case Mean():
            for ratio in formula.of:
                stale |= _stale_answers(ratio, columns, limits)
        case FirstReported():
            open_: Bools = ~stale
            for part in formula.of:
                used = open_ & ~formula_value(part, columns).missing
                stale |= used & _stale_answers(part, columns, limits)
                open_ &= ~used
        case _:
            for leaf in operands(formula):
                limit = limits.get(leaf.input.partition(".")[0])
                if limit is not None:
                    stale |= columns.stale(leaf.input, limit)
    return stale


def _met(condition: Condition, columns: Columns) -> Value:
    answer = columns.numbers(condition.input)
    met = answer.values > (condition.above or 0)
    return Value(met.astype(np.int64), ~answer.reported)


def _sum(parts: list[Value], missing: Missing) -> Value:
    gone = np.stack([part.missing for part in parts])
    units = np.sum([part.units for part in parts], axis=0)
    absent: Bools = np.zeros_like(gone[0])
    if missing is Missing.SKIP:
        absent = np.logical_and.reduce(gone)
    elif missing is Missing.PROPAGATE:
        absent = np.logical_or.reduce(gone)
    return _blanked(units, absent)


def _first_reported(parts: list[Value]) -> Value:
    units, missing = parts[0].units, parts[0].missing
    for part in parts[1:]:
        units = np.where(missing, part.units, units)
        missing = missing & part.missing
    return _blanked(units, missing)


def _gated_count(formula: GatedCount, columns: Columns) -> Value:
    gate = _met(formula.gate, columns)
    parts = [_met(condition, columns) for condition in formula.of]
    steps = _sum([gate, *parts], formula.missing)
    # A gate that is answered "no" decides alone: what lies behind it was not asked (Web Kampung KB's form).
    closed = (gate.units == 0) & ~gate.missing
    units = np.where(gate.units == 1, steps.units, 0)
    missing = steps.missing if formula.missing is Missing.ZERO else (steps.missing | gate.missing) & ~closed
    return _blanked(units, missing)


def _percentage(formula: Percentage, columns: Columns) -> Value:
    numerator = formula_value(formula.numerator, columns)
    denominator = formula_value(formula.denominator, columns)
    zero = (denominator.units == 0) & ~denominator.missing
    usable = ~numerator.missing & ~denominator.missing & ~zero
    units = _percent(numerator.units, np.where(usable, denominator.units, 1), formula.arithmetic, formula.rounding)
    missing = np.zeros_like(usable)
    for gone, policy in (
        (numerator.missing, formula.numerator_missing),
        (denominator.missing, formula.denominator_missing),
        (zero, formula.denominator_zero),
    ):
        if policy is Missing.PROPAGATE:
            missing |= gone
    if formula.implausible is Missing.PROPAGATE:
        implausible = is_implausible(numerator, denominator)
        missing, usable = missing | implausible, usable & ~implausible
    return Value(np.where(usable, units, 0), missing)


def is_implausible(part: Value, whole: Value) -> Bools:
    """Where a part exceeds its whole, or either is below 0. What is not known is not implausible."""
    known = ~part.missing & ~whole.missing
    above: Bools = known & (part.units > whole.units)
    return above | (part.units < 0) | (whole.units < 0)


def _percent(numerator: Ints, divisor: Ints, arithmetic: Arithmetic, rounding: Rounding) -> Ints:
    if arithmetic is Arithmetic.DOUBLE:
        # The ratio first, then times 100: the predecessor's SQL, and not the same as dividing the hundredfold.
        return _rounded(numerator / divisor * 100, rounding)
    return rounded_quotient(numerator * 100 * 10**rounding.decimals, divisor, rounding.mode)


def percent_units(formula: Percentage, numerator: int, denominator: int) -> int:
    """What a percentage gives for one pair of numbers, in units of its grid; the denominator is not 0."""
    part, whole = np.array([numerator], dtype=np.int64), np.array([denominator], dtype=np.int64)
    return int(_percent(part, whole, formula.arithmetic, formula.rounding)[0])


def _mean(formula: Mean, columns: Columns) -> Value:
    parts = [formula_value(part, columns) for part in formula.of]
    total = _sum(parts, formula.missing)
    count = np.full(columns.size, len(parts), dtype=np.int64)
    if formula.missing is Missing.SKIP:
        count = np.maximum(np.sum([~part.missing for part in parts], axis=0), 1)
    divisor = count * 10 ** formula.of[0].rounding.decimals
    if formula.arithmetic is Arithmetic.DOUBLE:
        units = _rounded(total.units / divisor, formula.rounding)
    else:
        units = rounded_quotient(total.units * 10**formula.rounding.decimals, divisor, formula.rounding.mode)
    return _blanked(units, total.missing)


def _rounded(values: npt.NDArray[np.float64], rounding: Rounding) -> Ints:
    scaled = values * 10**rounding.decimals
    whole: npt.NDArray[np.float64] = (
        np.rint(scaled) if rounding.mode is RoundingMode.HALF_EVEN else np.floor(scaled + 0.5)
    )
    return whole.astype(np.int64)


def rounded_quotient(numerator: Ints, divisor: Ints, mode: RoundingMode) -> Ints:
    """Quotient in whole numbers, halves to even or up (towards plus infinity). No divisor is 0."""
    whole, rest = np.divmod(numerator, divisor)
    twice = 2 * np.abs(rest) - np.abs(divisor)
    up = twice >= 0 if mode is RoundingMode.HALF_UP else (twice > 0) | ((twice == 0) & (whole % 2 == 1))
    rounded: Ints = np.where(up, whole + 1, whole)
    return rounded


def _or_zero(value: tuple[Ints, Bools], missing: Missing) -> Value:
    units, reported = value
    return Value(units, np.zeros_like(reported) if missing is Missing.ZERO else ~reported)


def _blanked(units: Ints, missing: Bools) -> Value:
    return Value(np.where(missing, 0, units), missing)


def dimension_index(dimension: CompiledDimension, scores: npt.NDArray[np.int8]) -> Ints:
    """Weighted mean of the dimension's scores in units of its rounding, exact; 0 = not assessable."""
    own = scores[:, dimension.columns].astype(np.int64)
    scored = own != NOT_ASSESSABLE
    weight = scored @ dimension.weights
    total = own @ dimension.weights * 10**dimension.decimals
    index = rounded_quotient(total, np.maximum(weight, 1), dimension.mode)
    usable = scored.all(axis=1) if dimension.propagate else scored.any(axis=1)
    return np.where(usable, index, NOT_ASSESSABLE)


def _compile_indicator(indicator: Indicator) -> CompiledIndicator:
    choices = {path: len(item.choices) for path, item in fact_inputs().items()}
    span = span_of(indicator.formula, choices)
    edges = band_edges(indicator.bands, span.decimals)
    starts = [np.iinfo(np.int64).min if edge.low is None else edge.low for edge in edges]
    when_missing = indicator.when_missing
    return CompiledIndicator(
        indicator=indicator,
        span=span,
        edges=edges,
        starts=np.array(starts, dtype=np.int64),
        scores=np.array([edge.score for edge in edges], dtype=np.int8),
        score_when_missing=NOT_ASSESSABLE if when_missing == "not_assessable" else when_missing.score,
    )


def _compile_dimension(ruleset: Ruleset, place: int) -> CompiledDimension:
    dimension = ruleset.dimensions[place]
    columns = [at for at, indicator in enumerate(ruleset.indicators) if indicator.dimension == dimension.code]
    weights = common_weights([ruleset.indicators[at].weight for at in columns])
    return CompiledDimension(
        code=dimension.code,
        columns=columns,
        weights=np.array(weights, dtype=np.int64),
        decimals=dimension.rounding.decimals,
        mode=dimension.rounding.mode,
        threshold=-int(-dimension.threshold.scaleb(dimension.rounding.decimals) // 1),
        propagate=dimension.when_not_assessable is Missing.PROPAGATE,
    )


def _class_table(ruleset: Ruleset) -> npt.NDArray[np.int8]:
    """Place of the class for every combination of met thresholds; bit k stands for dimension k."""
    bits = {dimension.code: 1 << place for place, dimension in enumerate(ruleset.dimensions)}
    places: Mapping[VillageClass, int] = {label.code: place for place, label in enumerate(ruleset.classes)}
    table = np.empty(1 << len(bits), dtype=np.int8)
    for row in ruleset.class_matrix:
        table[sum(bits[code] for code in row.met)] = places[row.village_class]
    return table
