"""Why an indicator has no value: what is absent, blank, impossible or too old. For one village at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.facts import ReportKind
from contracts.reasons import ReasonCode
from services.scoring.rulesets.columns import age_in_months, period_of
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
from services.scoring.rulesets.telling import Case, number_told


@dataclass(frozen=True)
class Reason:
    """One reason: its kind, a clause that says it, the inputs and the kind of report that it is about."""

    code: ReasonCode
    text: str
    inputs: tuple[str, ...] = ()
    report: ReportKind | None = None


def reasons_of(case: Case, indicator: Indicator, limits: Mapping[str, int]) -> list[Reason]:
    """Every reason why the indicator has no value; none where it has one. `limits` in months by kind of report."""
    absent = [kind for kind in indicator.requires if not case.columns.present(kind.value)[0]]
    found = [Reason(ReasonCode.REPORT_ABSENT, case.phrases.report_absent(kind), report=kind) for kind in absent]
    walked = list(_walk(case, indicator.formula)) if case.units(indicator.formula) is None else []
    blanks = [path for one in walked if one.code is ReasonCode.ANSWER_MISSING for path in one.inputs]
    # What an absent report does not answer is said by its absence.
    blanks = [path for path in dict.fromkeys(blanks) if path.partition(".")[0] not in absent]
    if blanks:
        text = case.phrases.answers_missing([case.label(path) for path in blanks])
        found.append(Reason(ReasonCode.ANSWER_MISSING, text, tuple(blanks)))
    found += dict.fromkeys(one for one in walked if one.code is not ReasonCode.ANSWER_MISSING)
    return found + list(_age_reasons(case, indicator, limits))


def _walk(case: Case, formula: Formula) -> Iterator[Reason]:
    """Why a formula without a value has none; blank answers one by one, without words."""
    match formula:
        case Sum() | FirstReported() | Mean():
            for part in formula.of:
                if case.units(part) is None:
                    yield from _walk(case, part)
        case Percentage():
            yield from _walk_percentage(case, formula)
        case CountActors() if case.fact(formula.input) is not None:
            yield Reason(ReasonCode.DATE_MISSING, case.phrases.dates_missing, (formula.input,))
        case _:
            for leaf in operands(formula):
                if case.fact(leaf.input) is None:
                    yield Reason(ReasonCode.ANSWER_MISSING, "", (leaf.input,))


def _walk_percentage(case: Case, formula: Percentage) -> Iterator[Reason]:
    part, whole = case.units(formula.numerator), case.units(formula.denominator)
    if part is None and formula.numerator_missing is Missing.PROPAGATE:
        yield from _walk(case, formula.numerator)
    if whole is None and formula.denominator_missing is Missing.PROPAGATE:
        yield from _walk(case, formula.denominator)
    wholes = tuple(leaf.input for leaf in operands(formula.denominator))
    shown = number_told(case, formula.denominator)
    if whole == 0 and formula.denominator_zero is Missing.PROPAGATE:
        yield Reason(ReasonCode.DENOMINATOR_ZERO, case.phrases.nothing_to_divide_by(shown), wholes)
    elif formula.implausible is Missing.PROPAGATE:
        told = number_told(case, formula.numerator)
        both = tuple(dict.fromkeys(leaf.input for leaf in operands(formula)))
        if (part is not None and part < 0) or (whole is not None and whole < 0):
            yield Reason(ReasonCode.IMPLAUSIBLE, case.phrases.below_zero(told, shown), both)
        elif part is not None and whole is not None and part > whole:
            yield Reason(ReasonCode.IMPLAUSIBLE, case.phrases.part_above_whole(told, shown), both)


def _age_reasons(case: Case, indicator: Indicator, limits: Mapping[str, int]) -> Iterator[Reason]:
    """One reason a kind of report: the oldest month that an answer in use is of."""
    paths = [kind.value for kind in indicator.requires] + list(_used(case, indicator.formula))
    for kind in ReportKind:
        own = [path for path in paths if path.partition(".")[0] == kind.value]
        limit = limits.get(kind.value)
        if limit is None or not own or not case.columns.present(kind.value)[0]:
            continue
        stale = [path for path in own if case.columns.stale(path, limit)[0]]
        if stale:
            yield _age_reason(case, kind, stale, limit)


def _age_reason(case: Case, kind: ReportKind, stale: list[str], limit: int) -> Reason:
    inputs = tuple(path for path in stale if path != kind.value)
    ages = {path: age_in_months(case.village, path) for path in stale}
    known = {path: age for path, age in ages.items() if age is not None}
    if len(known) < len(ages):
        return Reason(ReasonCode.AGE_UNKNOWN, case.phrases.age_unknown(kind), inputs, kind)
    oldest = max(known, key=lambda path: known[path])
    period = period_of(case.village, oldest) or ""
    return Reason(ReasonCode.REPORT_TOO_OLD, case.phrases.too_old(kind, period, known[oldest], limit), inputs, kind)


def _used(case: Case, formula: Formula) -> Iterator[str]:
    """Inputs that the value comes from: of alternatives only those of the one that is used."""
    match formula:
        case FirstReported():
            chosen = next((part for part in formula.of if case.units(part) is not None), None)
            if chosen is not None:
                yield from _used(case, chosen)
        case Mean():
            for part in formula.of:
                yield from _used(case, part)
        case Percentage():
            yield from _used(case, formula.numerator)
            yield from _used(case, formula.denominator)
        case _:
            yield from (leaf.input for leaf in operands(formula))
