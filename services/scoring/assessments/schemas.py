"""What the assessments room takes and answers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from contracts.events import RegionNames
from contracts.facts import ReportKind
from contracts.reasons import ReasonCode
from contracts.regions import RegionCode
from kit.paging import ListFilters
from services.scoring.assessments.rules import CompletenessBand

NO_CLASS: Literal["none"] = "none"
"""What filters call "without a class", as they do "without a score"."""
ScoreFilter = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}:([1-4]|none)$")]


class AssessmentFilters(BaseModel):
    """Which assessments are meant."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Only inside this region")
    village_class: VillageClass | Literal["none"] | None = Field(
        None,
        alias="class",
        description="Only this class; `none` is not assessable, which some rulesets can leave a village",
    )
    score: list[ScoreFilter] = Field(
        [],
        max_length=50,
        description="Indicator and score, such as input_pokja:1; `none` is not assessable. Several scores of one indicator "
        "are alternatives, several indicators must all fit",
        examples=[["input_pokja:1"]],
    )
    missing: list[ReportKind] = Field(
        [], max_length=3, description="No report of this kind has ever arrived; several: of none of them"
    )
    older_than_months: int | None = Field(
        None,
        ge=0,
        le=1200,
        description="The newest report is of a month longer ago; never reported is `missing` instead",
    )
    older_kind: list[ReportKind] = Field(
        [], max_length=3, description="Of these kinds (all of them) with older_than_months; of any kind where left out"
    )
    completeness: CompletenessBand | None = Field(
        None, description="Percent of what is asked that was reported; each band ends below where the next begins"
    )
    completeness_from: int | None = Field(None, ge=0, le=100, description="At least so many percent were reported")
    completeness_below: int | None = Field(None, ge=1, le=100, description="Less than so many percent were reported")
    without_reports: bool | None = Field(None, description="No report of any kind has ever arrived, or some has")
    simulated: bool | None = Field(None, description="Only villages that rest, or do not rest, on made-up data")


class AssessmentListFilters(AssessmentFilters, ListFilters):
    """Filters and order of the list of assessments."""

    sort: str = Field(
        "region_code",
        pattern="^-?[a-z][a-z0-9_]{0,63}$",
        description="`region_code`, the code of a dimension (its index), or `distance` (index points to the next class: "
        "closest to rising first); with - in front descending. Without an index a village stands below the lowest; in the "
        "highest class, or without a class, it stands beyond the greatest distance",
        examples=["distance", "-output"],
    )


class AssessmentChoice(BaseModel):
    """Under which ruleset one village is to be explained."""

    model_config = ConfigDict(extra="forbid")

    ruleset: str | None = Field(
        None, max_length=64, description="Under this published ruleset; the one it is assessed under if left out"
    )


class Answer(BaseModel):
    """Base of what this room answers; built by field name, sent by alias."""

    model_config = ConfigDict(populate_by_name=True)


class Texts(Answer):
    """One text in both languages."""

    id: str
    en: str


class AssessedVillage(Answer):
    """The village that an assessment is about."""

    id: UUID
    region_code: str = Field(examples=["33.26.01.2001"])
    region_names: RegionNames
    name: str | None
    status: str


class Completeness(Answer):
    """How much of what the ruleset asks was reported. Not reported is not "no", also where a ruleset scores it."""

    answered: int
    asked: int
    percent: Decimal | None = Field(description="One decimal; null where nothing is asked")


class AssessmentOut(Answer):
    """What a village is classed as."""

    village: AssessedVillage
    village_class: VillageClass | None = Field(alias="class", description="Null where not assessable")
    indexes: dict[str, str | None] = Field(description="Decimal strings by dimension; null where not assessable")
    scores: dict[str, int | None] = Field(description="1-4 by indicator; null where not assessable")
    reasons: dict[str, list[ReasonCode]] = Field(description="By each indicator without a score: why it has none")
    completeness: Completeness
    distance: Decimal | None = Field(
        description="The smallest total of index points that lifts the village into a higher class; null in the highest, "
        "and without a class"
    )
    newest_periods: dict[ReportKind, str] | None = Field(
        description="Month of the newest report by kind; without a kind: never reported. Null for a moment after an update"
    )
    without_reports: bool = Field(description="No report of any kind has ever arrived")
    simulated: bool = Field(description="The village or anything it is assessed from is made-up data")
    ruleset: str
    ruleset_digest: str = Field(description="SHA-256 of the ruleset document as canonical JSON")
    version: int = Field(description="Grows by one whenever this answer changes")
    assessed_at: datetime = Field(description="Since when this answer holds")


class RulesetUsed(Answer):
    """The ruleset an assessment rests on."""

    id: str
    version: int
    digest: str
    labels: Texts
    legal_basis: Texts
    certainty: str


class DimensionOut(Answer):
    """An index against its threshold."""

    code: str
    labels: Texts
    index: str | None = Field(description="Null where not assessable under the ruleset")
    threshold: str
    met: bool


class ReportUsed(Answer):
    """A report that answers are taken from."""

    report_id: UUID
    period: str = Field(examples=["2025-09"])
    revision: int
    source_system: str
    simulated: bool
    reported_at: datetime


class InputOut(Answer):
    """One raw input of an indicator."""

    input: str = Field(description="Path of the fact", examples=["family_planning.methods.iud"])
    labels: Texts
    value: bool | int | list[str] | None = Field(description="Null means not reported. For interventions their number")
    asked: bool = Field(description="Whether it counts into completeness")
    report: ReportUsed | None = Field(description="Where the answer comes from; null where there is no answer")


class BandOut(Answer):
    """The band that the value lies in; null is an open end."""

    low: Decimal | None = Field(alias="from")
    high: Decimal | None = Field(alias="to")
    text: str


class NextBandOut(Answer):
    """What the next better band of an indicator needs."""

    score: int
    value: Decimal = Field(description="The nearest value in it, in the indicator's unit")
    difference: Decimal = Field(description="How far it is to that value, above 0")
    more: bool = Field(description="Whether the difference is to be added or taken away")
    count: int | None = Field(
        description="Of a share: how many people, couples or families more or fewer, the whole unchanged; else null"
    )
    text: str = Field(description="In the language of the answer")


class ReasonOut(Answer):
    """Why an indicator has no value."""

    code: ReasonCode
    text: str = Field(description="In the language of the answer")
    inputs: list[str] = Field(description="Paths of the inputs that it is about")
    report: ReportKind | None = Field(description="The kind of report that it is about")


class IndicatorOut(Answer):
    """One score and what it rests on."""

    code: str
    dimension: str
    labels: Texts
    unit: Texts
    score: int | None = Field(description="Null where not assessable under the ruleset")
    value: Decimal | None = Field(description="Null where something absent, impossible or too old decided the score")
    formula: str = Field(description="In words and numbers, in the language of the answer")
    band: BandOut | None
    next_band: NextBandOut | None = Field(description="Null in the best band, and where there is no value")
    reasons: list[ReasonOut] = Field(description="Why there is no value; empty where there is one")
    inputs: list[InputOut]
    not_reported: list[str] = Field(description="Paths of asked inputs that were not reported")


class ReportKindOut(Answer):
    """How fresh one kind of report is."""

    kind: ReportKind
    reported: bool
    newest_period: str | None
    age_months: int | None = Field(description="Calendar months since that period; null where never reported")
    max_age_months: int | None = Field(description="How old answers may be under the ruleset; null without limit")
    too_old: bool | None = Field(
        description="Whether even the newest report is older than that; null without limit or never reported"
    )
    reports: list[ReportUsed] = Field(description="Reports that answers in force are taken from, newest first")


class InterventionsOut(Answer):
    """The interventions that count."""

    count: int
    actors: int = Field(description="Different actors over all of them")
    newest: date | None
    simulated: int = Field(description="How many of them are made-up data")


class ReadinessOut(Answer):
    """Something a village should have, shown beside the score; it never enters it."""

    code: str
    labels: Texts
    input: str = Field(description="Path of the fact", examples=["profile.pokja_decree"])
    ready: bool | None = Field(description="Null means not reported")
    report: ReportUsed | None


class NotReported(Answer):
    """An input that nobody reported."""

    input: str
    labels: Texts


class AssessmentDetail(Answer):
    """A village's class and why."""

    village: AssessedVillage
    village_class: VillageClass | None = Field(
        alias="class", description="Null where not assessable, which some rulesets can leave it"
    )
    class_labels: Texts | None
    local_class_labels: Texts | None = Field(description="What the village's region calls the class, where it differs")
    ruleset: RulesetUsed
    dimensions: list[DimensionOut]
    indicators: list[IndicatorOut]
    readiness: list[ReadinessOut] = Field(description="Shown beside the score; empty where the ruleset names nothing")
    completeness: Completeness
    not_reported: list[NotReported]
    reports: list[ReportKindOut]
    interventions: InterventionsOut
    without_reports: bool
    simulated: bool = Field(description="The village or anything it is assessed from is made-up data")
    as_of: date = Field(description="The day for which ages and time windows are reckoned")
    version: int | None = Field(
        description="Null under a ruleset that it is not assessed under: that is computed, not stored"
    )
    assessed_at: datetime | None = Field(description="Null under a ruleset that it is not assessed under")


def texts(labels: Any) -> Texts:
    """Labels of a ruleset as they are sent."""
    return Texts(id=labels.id, en=labels.en)
