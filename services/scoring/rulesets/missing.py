"""Why indicators have no score, as codes, for a whole batch: array operations. `reasons` says the same in words.

The two walk a formula alike, one over columns and one over a village; a property test holds them against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from contracts.facts import ReportKind
from contracts.reasons import ReasonCode
from services.scoring.rulesets.columns import Columns
from services.scoring.rulesets.document import (
    CountActors,
    FirstReported,
    Formula,
    Indicator,
    Mean,
    Missing,
    Percentage,
    Sum,
    operands,
)
from services.scoring.rulesets.engine import NOT_ASSESSABLE, Bools, Evaluation, formula_value


def missing_reasons(evaluation: Evaluation) -> list[dict[str, list[str]]]:
    """For each village of a batch: by indicator without a score the codes of the reasons, in the order of telling."""
    found: list[dict[str, list[str]]] = [{} for _ in range(len(evaluation))]
    engine, columns = evaluation.engine, evaluation.columns
    for place, compiled in enumerate(engine.indicators):
        gone = evaluation.scores[:, place] == NOT_ASSESSABLE
        if not gone.any():
            continue
        told = _Told(columns)
        told.walk_indicator(compiled.indicator, engine.limits)
        for code in ReasonCode:
            for row in np.flatnonzero(gone & told.where[code]).tolist():
                found[row].setdefault(compiled.indicator.code, []).append(code.value)
    return found


class _Told:
    """Where each kind of reason holds for one indicator."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.where: dict[ReasonCode, Bools] = {code: np.zeros(columns.size, dtype=np.bool_) for code in ReasonCode}

    def walk_indicator(self, indicator: Indicator, limits: Mapping[str, int]) -> None:
        everywhere: Bools = np.ones(self._columns.size, dtype=np.bool_)
        for kind in indicator.requires:
            self._add(ReasonCode.REPORT_ABSENT, ~self._columns.present(kind.value))
        self._walk(indicator, indicator.formula, formula_value(indicator.formula, self._columns).missing)
        for kind in ReportKind:
            if kind.value in limits:
                self._age(indicator, kind, limits[kind.value], everywhere)

    def _add(self, code: ReasonCode, where: Bools) -> None:
        self.where[code] |= where

    def _blank(self, indicator: Indicator, path: str, where: Bools) -> None:
        """What an absent report does not answer is said by its absence."""
        kind = path.partition(".")[0]
        if kind in indicator.requires:
            where = where & self._columns.present(kind)
        self._add(ReasonCode.ANSWER_MISSING, where & ~self._columns.reported(path))

    def _walk(self, indicator: Indicator, formula: Formula, where: Bools) -> None:
        """Why a formula has no value, in those places where it has none."""
        match formula:
            case Sum() | FirstReported() | Mean():
                for part in formula.of:
                    self._walk(indicator, part, where & formula_value(part, self._columns).missing)
            case Percentage():
                self._walk_percentage(indicator, formula, where)
            case CountActors():
                self._blank(indicator, formula.input, where)
                self._add(ReasonCode.DATE_MISSING, where & self._columns.reported(formula.input))
            case _:
                for leaf in operands(formula):
                    self._blank(indicator, leaf.input, where)

    def _walk_percentage(self, indicator: Indicator, formula: Percentage, where: Bools) -> None:
        part, whole = (formula_value(one, self._columns) for one in (formula.numerator, formula.denominator))
        if formula.numerator_missing is Missing.PROPAGATE:
            self._walk(indicator, formula.numerator, where & part.missing)
        if formula.denominator_missing is Missing.PROPAGATE:
            self._walk(indicator, formula.denominator, where & whole.missing)
        zero: Bools = np.zeros_like(where)
        if formula.denominator_zero is Missing.PROPAGATE:
            zero = where & ~whole.missing & (whole.units == 0)
            self._add(ReasonCode.DENOMINATOR_ZERO, zero)
        if formula.implausible is Missing.PROPAGATE:
            above = ~part.missing & ~whole.missing & (part.units > whole.units)
            below = (part.units < 0) | (whole.units < 0)
            self._add(ReasonCode.IMPLAUSIBLE, where & ~zero & (above | below))

    def _age(self, indicator: Indicator, kind: ReportKind, limit: int, everywhere: Bools) -> None:
        """One reason a kind of report: unknown where the age of one of the answers in use is."""
        stale, unknown = np.zeros_like(everywhere), np.zeros_like(everywhere)
        used = [(report.value, everywhere) for report in indicator.requires]
        for path, where in [*used, *_used(self._columns, indicator.formula, everywhere)]:
            if path.partition(".")[0] == kind.value:
                old = where & self._columns.stale(path, limit)
                stale |= old
                unknown |= old & self._columns.age_unknown(path)
        self._add(ReasonCode.AGE_UNKNOWN, unknown)
        self._add(ReasonCode.REPORT_TOO_OLD, stale & ~unknown)


def _used(columns: Columns, formula: Formula, where: Bools) -> Iterator[tuple[str, Bools]]:
    """Inputs that the value comes from, and where: of alternatives only those of the one that is used."""
    match formula:
        case FirstReported():
            still = where
            for alternative in formula.of:
                missing = formula_value(alternative, columns).missing
                yield from _used(columns, alternative, still & ~missing)
                still = still & missing
        case Mean():
            for part in formula.of:
                yield from _used(columns, part, where)
        case Percentage():
            yield from _used(columns, formula.numerator, where)
            yield from _used(columns, formula.denominator, where)
        case _:
            yield from ((leaf.input, where) for leaf in operands(formula))
