"""Why a village got its scores: inputs used, formula in words and numbers, band, what the next band needs.

Built for one village at a time. Everything is told from the ruleset document, in the words of one language; no
indicator, input or class is known here by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from contracts.classes import VillageClass
from kit.language import Language
from services.scoring.rulesets.columns import Columns, VillageFacts
from services.scoring.rulesets.document import Labels, Readiness
from services.scoring.rulesets.engine import CompiledIndicator, Engine, Evaluation
from services.scoring.rulesets.inputs import InputKind, fact_inputs
from services.scoring.rulesets.needs import NextBand, next_band
from services.scoring.rulesets.reasons import Reason, reasons_of
from services.scoring.rulesets.telling import Case, blanks_told, formula_told
from services.scoring.rulesets.words import phrases_of
from services.scoring.rulesets.words.phrases import Phrases


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
    """One score with everything it rests on; `value` None where something absent or impossible decided the score.

    Then, and only then, `reasons` say what.
    """

    code: str
    dimension: str
    labels: Labels
    unit: Labels
    score: int | None
    value: Decimal | None
    formula: str
    band: BandMatched | None
    next_band: NextBand | None
    inputs: list[InputUsed]
    not_reported: list[str]
    reasons: list[Reason]


@dataclass(frozen=True)
class ReadinessShown:
    """Something shown beside the score: whether it is there, None where nobody reported it."""

    code: str
    labels: Labels
    input: str
    ready: bool | None


@dataclass(frozen=True)
class VillageExplanation:
    """The whole answer for one village under one ruleset."""

    village_class: VillageClass | None
    indexes: dict[str, str | None]
    met: set[str]
    indicators: list[IndicatorExplanation]
    readiness: list[ReadinessShown]
    not_reported: list[str]
    answered: int
    asked: int


def explain(engine: Engine, village: VillageFacts, language: Language = Language.INDONESIAN) -> VillageExplanation:
    """Score one village and say why. Same engine, same result as in a batch."""
    evaluation = engine.evaluate([village])
    case = Case(engine.ruleset, village, Columns([village], engine.paths), phrases_of(language))
    return VillageExplanation(
        village_class=evaluation.village_class(0),
        indexes=evaluation.indexes_of(0),
        met=evaluation.met_of(0),
        indicators=[_indicator(engine, place, evaluation, case) for place in range(len(engine.indicators))],
        readiness=[_readiness(item, case) for item in engine.ruleset.readiness],
        not_reported=[path for path in engine.asked if not case.columns.reported(path)[0]],
        answered=int(evaluation.answered[0]),
        asked=len(engine.asked),
    )


def _indicator(engine: Engine, place: int, evaluation: Evaluation, case: Case) -> IndicatorExplanation:
    compiled = engine.indicators[place]
    indicator = compiled.indicator
    units = None if evaluation.missing[0, place] else int(evaluation.values[0, place])
    score = int(evaluation.scores[0, place]) or None
    inputs = [_input_used(case, path) for path in engine.inputs_of[indicator.code]]
    reasons = reasons_of(case, indicator, engine.limits) if units is None else []
    return IndicatorExplanation(
        code=indicator.code,
        dimension=indicator.dimension,
        labels=indicator.labels,
        unit=indicator.unit,
        score=score,
        value=None if units is None else Decimal(units).scaleb(-compiled.span.decimals),
        formula=_formula_text(case, compiled, units, score, reasons),
        band=None if units is None else _band(case.phrases, compiled, evaluation, place),
        next_band=None if units is None else next_band(case, compiled, units),
        inputs=inputs,
        not_reported=[used.input for used in inputs if used.value is None and used.asked],
        reasons=reasons,
    )


def _input_used(case: Case, path: str) -> InputUsed:
    label, value = case.ruleset.input_label(path), case.fact(path)
    if fact_inputs()[path].kind is InputKind.INTERVENTIONS and value is not None:
        value = len(value)
    return InputUsed(path, label.labels, value, label.asked)


def _readiness(item: Readiness, case: Case) -> ReadinessShown:
    value = case.fact(item.condition.input)
    ready = None if value is None else value > (item.condition.above or 0)
    return ReadinessShown(item.code, item.labels, item.condition.input, ready)


def _band(phrases: Phrases, compiled: CompiledIndicator, evaluation: Evaluation, place: int) -> BandMatched:
    edges = compiled.edges[int(compiled.band_of(evaluation.values[:1, place])[0])]
    low, high = (
        None if end is None else Decimal(end).scaleb(-compiled.span.decimals) for end in (edges.low, edges.high)
    )
    return BandMatched(low, high, _band_text(phrases, low, high, phrases.label(compiled.indicator.unit)))


def _band_text(phrases: Phrases, low: Decimal | None, high: Decimal | None, unit: str) -> str:
    if low is None:
        return phrases.any_value if high is None else phrases.at_most(high, unit)
    if high is None:
        return phrases.at_least(low, unit)
    return phrases.with_unit(low, unit) if low == high else phrases.between(low, high, unit)


def _formula_text(
    case: Case, compiled: CompiledIndicator, units: int | None, score: int | None, reasons: list[Reason]
) -> str:
    indicator, phrases = compiled.indicator, case.phrases
    told = formula_told(case, indicator.formula, noting=units is not None)
    if units is None:
        return phrases.without_value(told, [reason.text for reason in reasons], score)
    value = Decimal(units).scaleb(-compiled.span.decimals)
    shown = phrases.with_unit(value, phrases.label(indicator.unit))
    return f"{told} = {shown}{blanks_told(case, indicator.formula)}"
