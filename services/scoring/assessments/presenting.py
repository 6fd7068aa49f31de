"""Turns assessments into what the API answers."""

from __future__ import annotations

from datetime import date

from contracts.events import RegionNames
from contracts.facts import ReportKind
from kit.language import Language
from services.scoring.assessments.actions import VillageInputs
from services.scoring.assessments.rules import age_in_months, percent
from services.scoring.assessments.schemas import (
    AssessedVillage,
    AssessmentDetail,
    AssessmentOut,
    BandOut,
    Completeness,
    DimensionOut,
    IndicatorOut,
    InputOut,
    InterventionsOut,
    NextBandOut,
    NotReported,
    ReadinessOut,
    ReasonOut,
    ReportKindOut,
    ReportUsed,
    RulesetUsed,
    texts,
)
from services.scoring.assessments.store import Assessed
from services.scoring.facts.rules import Report, group_of, newest_first
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.explanation import IndicatorExplanation, VillageExplanation, explain
from services.scoring.villages.tables import Village


def summary(assessed: Assessed) -> AssessmentOut:
    """An assessment as the list shows it."""
    one = assessed.assessment
    return AssessmentOut.model_validate(
        {
            **one.model_dump(
                exclude={"village_id", "region_code", "active", "answered", "asked", "readiness", "due_on"}
            ),
            "village": village_of(assessed.village),
            "completeness": completeness(one.answered, one.asked),
        }
    )


def detail(
    assessed: Assessed, inputs: VillageInputs, engine: Engine, language: Language, *, stored: bool
) -> AssessmentDetail:
    """A village's class with its whole explanation; `stored` says whether it is assessed under the ruleset."""
    why = explain(engine, inputs.facts, language)
    ruleset = engine.ruleset
    label = None if why.village_class is None else ruleset.class_label(why.village_class)
    local = None if label is None else label.local(assessed.village.region_code)
    return AssessmentDetail(
        village=village_of(assessed.village),
        village_class=why.village_class,
        class_labels=None if label is None else texts(label.labels),
        local_class_labels=None if local is None else texts(local),
        ruleset=ruleset_used(engine),
        dimensions=_dimensions(engine, why),
        indicators=[_indicator(one, inputs) for one in why.indicators],
        readiness=readiness(why, inputs),
        completeness=completeness(why.answered, why.asked),
        not_reported=[
            NotReported(input=path, labels=texts(ruleset.input_label(path).labels)) for path in why.not_reported
        ],
        reports=[_report_kind(kind, inputs, engine.limits.get(kind.value)) for kind in ReportKind],
        interventions=_interventions(inputs),
        without_reports=not inputs.in_force.facts,
        simulated=inputs.simulated,
        as_of=inputs.as_of,
        version=assessed.assessment.version if stored else None,
        assessed_at=assessed.assessment.assessed_at if stored else None,
    )


def readiness(why: VillageExplanation, inputs: VillageInputs) -> list[ReadinessOut]:
    """What is shown beside the score, with the reports it comes from."""
    return [
        ReadinessOut(
            code=one.code,
            labels=texts(one.labels),
            input=one.input,
            ready=one.ready,
            report=_source(inputs, one.input),
        )
        for one in why.readiness
    ]


def village_of(village: Village) -> AssessedVillage:
    """The village that an answer is about."""
    names = {
        "province": village.province_name,
        "regency": village.regency_name,
        "district": village.district_name,
        "village": village.village_name,
    }
    return AssessedVillage.model_validate({**village.model_dump(), "region_names": RegionNames.model_validate(names)})


def completeness(answered: int, asked: int) -> Completeness:
    """How much of what is asked was reported."""
    return Completeness(answered=answered, asked=asked, percent=percent(answered, asked))


def ruleset_used(engine: Engine) -> RulesetUsed:
    """The ruleset that an answer rests on."""
    ruleset = engine.ruleset
    return RulesetUsed(
        id=ruleset.id,
        version=ruleset.version,
        digest=engine.digest,
        labels=texts(ruleset.labels),
        legal_basis=texts(ruleset.legal_basis.text),
        certainty=ruleset.legal_basis.certainty,
    )


def _dimensions(engine: Engine, why: VillageExplanation) -> list[DimensionOut]:
    return [
        DimensionOut(
            code=dimension.code,
            labels=texts(dimension.labels),
            index=why.indexes[dimension.code],
            threshold=str(dimension.threshold),
            met=dimension.code in why.met,
        )
        for dimension in engine.ruleset.dimensions
    ]


def _indicator(one: IndicatorExplanation, inputs: VillageInputs) -> IndicatorOut:
    band = None if one.band is None else BandOut(low=one.band.low, high=one.band.high, text=one.band.text)
    after = None if one.next_band is None else NextBandOut(**vars(one.next_band))
    return IndicatorOut(
        code=one.code,
        dimension=one.dimension,
        labels=texts(one.labels),
        unit=texts(one.unit),
        score=one.score,
        value=one.value,
        formula=one.formula,
        band=band,
        next_band=after,
        reasons=[
            ReasonOut(code=why.code, text=why.text, inputs=list(why.inputs), report=why.report) for why in one.reasons
        ],
        inputs=[
            InputOut(
                input=used.input,
                labels=texts(used.labels),
                value=used.value,
                asked=used.asked,
                report=_source(inputs, used.input),
            )
            for used in one.inputs
        ],
        not_reported=one.not_reported,
    )


def _source(inputs: VillageInputs, path: str) -> ReportUsed | None:
    report = inputs.in_force.sources.get(group_of(path))
    return None if report is None else _report(report)


def _report(report: Report) -> ReportUsed:
    return ReportUsed(
        report_id=report.report_id,
        period=report.period,
        revision=report.revision,
        source_system=report.source_system,
        simulated=report.simulated,
        reported_at=report.reported_at,
    )


def _report_kind(kind: ReportKind, inputs: VillageInputs, limit: int | None) -> ReportKindOut:
    used = {r.report_id: r for r in inputs.in_force.sources.values() if r.kind == kind}
    newest = inputs.in_force.newest_period.get(kind)
    age = None if newest is None else age_in_months(newest, inputs.as_of)
    return ReportKindOut(
        kind=kind,
        reported=newest is not None,
        newest_period=newest,
        age_months=age,
        max_age_months=limit,
        too_old=None if age is None or limit is None else age > limit,
        reports=[_report(report) for report in newest_first(list(used.values()))],
    )


def _interventions(inputs: VillageInputs) -> InterventionsOut:
    done = inputs.done
    return InterventionsOut(
        count=len(done),
        actors=len({actor for one in done for actor in one.actors}),
        newest=date.fromisoformat(max(one.date for one in done)) if done else None,
        simulated=sum(one.simulated for one in done),
    )
