"""What the room of suppositions takes and answers."""

from __future__ import annotations

from datetime import date as calendar_date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from contracts.facts import FamilyPlanningFacts, PopulationFacts, ProfileFacts
from services.scoring.assessments.schemas import Answer, AssessedVillage, Completeness, RulesetUsed, Texts
from services.scoring.rulesets.document import ActorCode

MOST_INTERVENTIONS = 200
_MOST_ACTORS = 50


class SupposedFacts(BaseModel):
    """Only what is to be different. Left out means as it is; null means as if it had not been reported."""

    model_config = ConfigDict(extra="forbid")

    profile: ProfileFacts | None = None
    population: PopulationFacts | None = None
    family_planning: FamilyPlanningFacts | None = None


class SupposedIntervention(BaseModel):
    """An intervention that is planned, beside those that were recorded."""

    model_config = ConfigDict(extra="forbid")

    actors: Annotated[list[ActorCode], Field(min_length=1, max_length=_MOST_ACTORS, examples=[["dinas-kesehatan"]])]
    date: calendar_date | None = Field(None, description="When; on the day of the supposition if left out")


class WhatIfIn(BaseModel):
    """What is supposed of a village."""

    model_config = ConfigDict(extra="forbid")

    facts: SupposedFacts = Field(
        default_factory=SupposedFacts,
        examples=[{"profile": {"secretariat": True, "funding_sources": ["apbn", "apbd", "dana_desa"]}}],
    )
    interventions: list[SupposedIntervention] = Field(default_factory=list, max_length=MOST_INTERVENTIONS)
    ruleset: str | None = Field(
        None, max_length=64, description="Both sides under this published ruleset; the one in force if left out"
    )
    as_of: calendar_date | None = Field(
        None,
        description="Both sides on this day, where the ruleset looks at time; today if left out. What is supposed counts "
        "as reported in its month",
    )


class Outcome(Answer):
    """A class and what it comes from. Null where not assessable under the ruleset."""

    village_class: VillageClass | None = Field(alias="class")
    indexes: dict[str, str | None] = Field(description="Decimal strings by dimension")
    scores: dict[str, int | None] = Field(description="1-4 by indicator")
    readiness: dict[str, bool | None] = Field(description="Shown beside the score; null means not reported")
    completeness: Completeness


class IndicatorSide(Answer):
    """An indicator on one side of a supposition."""

    score: int | None
    value: Decimal | None
    formula: str = Field(description="In words and numbers, in the language of the answer")
    reasons: list[str] = Field(description="Codes of the reasons why there is no value; the formula says them")


class IndicatorChange(Answer):
    """An indicator whose value or score would be different."""

    code: str
    dimension: str
    labels: Texts
    before: IndicatorSide
    after: IndicatorSide


InputValue = bool | int | list[str] | None


class InputChange(Answer):
    """An input that is supposed to be different."""

    input: str = Field(description="Path of the fact", examples=["profile.secretariat"])
    labels: Texts
    before: InputValue = Field(description="Null means not reported. For interventions their number")
    after: InputValue


class WhatIfOut(Answer):
    """What would be if what is supposed were reported. Nothing of it was, and nothing of it is stored."""

    supposed: Literal[True] = Field(description="This is no assessment: `after` rests on what the request supposes")
    village: AssessedVillage
    ruleset: RulesetUsed
    before: Outcome = Field(description="As reported, under the same ruleset")
    after: Outcome
    inputs: list[InputChange]
    indicators: list[IndicatorChange] = Field(description="Only those that differ, in the ruleset's order")
    not_asked: list[str] = Field(description="Supposed facts that this ruleset does not look at")
    simulated: bool = Field(description="The village or anything reported of it is made-up data")
