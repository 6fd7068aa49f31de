"""Turns a supposition's two sides into what the API answers."""

from __future__ import annotations

from typing import Any

from kit.language import Language
from services.scoring.assessments.actions import VillageInputs
from services.scoring.assessments.presenting import completeness, ruleset_used, village_of
from services.scoring.assessments.schemas import texts
from services.scoring.paths.serving import counted_as
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.explanation import IndicatorExplanation, VillageExplanation, explain
from services.scoring.rulesets.inputs import fact_inputs
from services.scoring.villages.tables import Village
from services.scoring.what_ifs.rules import not_asked, redated, suppose
from services.scoring.what_ifs.schemas import (
    IndicatorChange,
    IndicatorSide,
    InputChange,
    Outcome,
    WhatIfIn,
    WhatIfOut,
)


def what_if(village: Village, inputs: VillageInputs, asked: WhatIfIn, engine: Engine, language: Language) -> WhatIfOut:
    """The village as it is and as it would be, under one ruleset."""
    supposed = asked.facts.model_dump(mode="json", exclude_unset=True)
    day = (asked.as_of or inputs.as_of).isoformat()
    own = inputs.facts | {"as_of": day}
    planned = [
        {"actors": [counted_as(code) for code in one.actors], "date": one.date.isoformat() if one.date else day}
        for one in asked.interventions
    ]
    changed = suppose(own, supposed) | {
        "interventions": [*own["interventions"], *planned],
        "periods": redated(own["periods"], supposed, fact_inputs(), day[:7]),
    }
    before, after = explain(engine, own, language), explain(engine, changed, language)
    pairs = list(zip(before.indicators, after.indicators, strict=True))
    return WhatIfOut(
        supposed=True,
        village=village_of(village),
        ruleset=ruleset_used(engine),
        before=outcome(before),
        after=outcome(after),
        inputs=_inputs(pairs),
        indicators=[
            _change(one, other) for one, other in pairs if (one.score, one.value) != (other.score, other.value)
        ],
        not_asked=not_asked(supposed, engine.paths),
        simulated=inputs.simulated,
    )


def outcome(why: VillageExplanation) -> Outcome:
    """A class and what it comes from, without the why."""
    return Outcome(
        village_class=why.village_class,
        indexes=why.indexes,
        scores={one.code: one.score for one in why.indicators},
        readiness={one.code: one.ready for one in why.readiness},
        completeness=completeness(why.answered, why.asked),
    )


def _inputs(pairs: list[tuple[IndicatorExplanation, IndicatorExplanation]]) -> list[InputChange]:
    """Every input once, though several indicators may rest on it."""
    changes: dict[str, InputChange] = {}
    for one, other in pairs:
        for used, now in zip(one.inputs, other.inputs, strict=True):
            if not _same(used.value, now.value):
                label = texts(used.labels)
                changes[used.input] = InputChange(input=used.input, labels=label, before=used.value, after=now.value)
    return list(changes.values())


def _same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def _change(one: IndicatorExplanation, other: IndicatorExplanation) -> IndicatorChange:
    return IndicatorChange(
        code=one.code,
        dimension=one.dimension,
        labels=texts(one.labels),
        before=_side(one),
        after=_side(other),
    )


def _side(one: IndicatorExplanation) -> IndicatorSide:
    return IndicatorSide(
        score=one.score, value=one.value, formula=one.formula, reasons=[reason.code for reason in one.reasons]
    )
