"""What the comparisons room takes and answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from contracts.regions import RegionCode, RegionLevel
from services.scoring.assessments.schemas import Answer, RulesetUsed, Texts


class ComparisonFilters(BaseModel):
    """Which region, and which of its parts."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Your own region where left out")
    by: RegionLevel | None = Field(
        None, description="Level of the parts; one below the region where left out. Villages only within a district"
    )


class VillageFilters(BaseModel):
    """Which villages."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Your own region where left out")
    changed_only: bool = Field(False, description="Only villages whose class is another under b")


class Transition(Answer):
    """Villages of one class under a and one class under b. Null: not assessable."""

    from_class: VillageClass | None = Field(alias="from")
    to_class: VillageClass | None = Field(alias="to")
    villages: int
    simulated: int = Field(description="Of these, villages that rest on made-up data")


class RegionComparison(Answer):
    """Active Kampung KB of a region by their classes under both rulesets."""

    region_code: str | None = Field(description="Null is the whole country")
    region_name: str | None = Field(description="Null for the whole country, or where no village is known")
    villages: int
    changed: int = Field(description="Of these, villages whose class is another under b")
    simulated: int
    transitions: list[Transition] = Field(description="Those without villages are left out")


class IndicatorComparison(Answer):
    """What an indicator does in all villages of the region; one of the same code is the same indicator in both."""

    code: str
    labels: Texts
    in_a: bool
    in_b: bool
    differs: int = Field(description="Villages in which its scores differ; no score counts as one of its own")
    differs_where_changed: int = Field(description="Of these, villages whose class changes")
    decided_alone: int | None = Field(
        description="Of these, villages that a would class as b does if only this score were b's; null where only one of "
        "the rulesets has the indicator"
    )


class ComparisonOut(Answer):
    """What changes from a to b. The parts add up to the total."""

    a: RulesetUsed
    b: RulesetUsed
    by: RegionLevel
    total: RegionComparison
    items: list[RegionComparison]
    indicators: list[IndicatorComparison]
    decided_by_none: int = Field(
        description="Villages whose class changes though no single score does it: several together, weights, thresholds, "
        "the matrix of classes, or an indicator that only one of the rulesets has"
    )
