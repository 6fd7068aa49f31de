"""What the room of paths takes and answers."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from services.scoring.assessments.schemas import Answer, AssessedVillage, RulesetUsed, Texts
from services.scoring.what_ifs.schemas import InputValue, Outcome


class PathFilters(BaseModel):
    """Where to, and under which ruleset."""

    model_config = ConfigDict(extra="forbid")

    to: VillageClass | None = Field(None, description="Class to reach; the next higher one if left out")
    ruleset: str | None = Field(None, max_length=64, description="A published ruleset; the one in force if left out")


class PathStatus(StrEnum):
    """How the question was answered."""

    FOUND = "found"
    REACHED = "reached"
    """The village is in this class already, or in a higher one."""
    HIGHEST = "highest"
    """No class was asked for, and there is none above the village's."""
    UNREACHABLE = "unreachable"
    NOT_FOUND = "not_found"
    """Not every set of improvements could be tried, and none of those tried gives the class."""


class Supposed(Answer):
    """What a supposition takes: a body of POST /assessments/{village}/what-if."""

    facts: dict[str, Any]
    interventions: list[dict[str, Any]]
    ruleset: str


class SupposedChange(Answer):
    """One fact that would be different."""

    input: str = Field(description="Path of the fact", examples=["profile.secretariat"])
    labels: Texts
    before: InputValue = Field(description="Null means not reported. For interventions their number")
    after: InputValue
    assumed: bool = Field(description="It was never reported: `after` is a supposition, the real answer is not known")


class Action(Answer):
    """One indicator to work on."""

    indicator: str
    dimension: str
    labels: Texts
    score_now: int | None
    score_then: int
    value_now: Decimal | None = Field(description="Null where a missing report or answer decides the score")
    value_needed: Decimal | None = Field(
        description="Edge of the band of the new score; null where reporting is enough"
    )
    unit: Texts
    text: Texts = Field(description="What to do")
    changes: list[SupposedChange]
    reports: list[str] = Field(description="Kinds of report to be made, for the first time or anew")
    effort: Decimal = Field(description="Answers to be brought about, and a tenth of a group to be won, count 1 each")
    suppose: Supposed
    kegiatan: list[str] = Field(description="Codes of the Inpres catalogue; the platform's own suggestion")
    actors: list[str] = Field(description="Kinds of offices and partners; the platform's own suggestion")


class SideEffect(Answer):
    """An indicator that changes though nobody works on it, because it shares facts."""

    indicator: str
    labels: Texts
    score_now: int | None
    score_then: int | None


class WhyNot(Answer):
    """An indicator that scores no higher than its best."""

    indicator: str
    best: int | None = Field(description="Highest score it can have; null where it cannot be assessed")
    code: str = Field(
        description="denominator_zero, too_few_people, no_more_choices, no_more_actors, not_reported, implausible, not_improvable "
        "or top_of_ruleset"
    )
    input: str | None = Field(description="The fact that stands in the way")


class Because(Answer):
    """A dimension that stays below its threshold whatever the village does."""

    dimension: str
    highest: str | None = Field(description="Highest index it can have; null where it cannot be assessed")
    threshold: str
    text: Texts
    indicators: list[WhyNot]


class PathOut(Answer):
    """The smallest set of indicator improvements that gives a village a class, or why there is none."""

    village: AssessedVillage
    ruleset: RulesetUsed
    village_class: VillageClass | None = Field(alias="class", description="Under this ruleset; null = not assessable")
    to: VillageClass | None = Field(description="Null where the village is in the highest class")
    status: PathStatus
    text: Texts
    improvements: int = Field(description="Indicators to work on: as few as possible")
    steps: int = Field(description="Score steps of these indicators together: among those the fewest")
    effort: Decimal = Field(description="Of all actions and first reports: among those the least")
    proven: bool = Field(description="Every smaller set was tried; false only where very many indicators share facts")
    reports: list[str] = Field(description="Kinds of report to be made, for the first time or anew")
    actions: list[Action]
    side_effects: list[SideEffect]
    then: Outcome | None = Field(
        description="What the village would be classed as, said by the engine; null without path"
    )
    suppose: Supposed | None = Field(description="The whole path as a supposition")
    because: list[Because] = Field(description="Empty where dimensions could be met one by one, but not together")
    simulated: bool = Field(description="The village or anything reported of it is made-up data")
