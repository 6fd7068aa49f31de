"""What the class counts room takes and answers."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from contracts.regions import Period, RegionCode, RegionLevel
from services.scoring.assessments.rules import CompletenessBand


class PartFilters(BaseModel):
    """Which region, and which of its parts."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Your own region where left out")
    by: RegionLevel | None = Field(
        None, description="Level of the parts; one below the region where left out. Villages only within a district"
    )


class ClassCountFilters(PartFilters):
    """Which region, which of its parts, and when."""

    period: Period | None = Field(
        None, description="By the class that held at the end of this month, of the villages that are active now"
    )


class Share(BaseModel):
    """Some of the villages."""

    count: int
    percent: Decimal | None = Field(description="Of all villages counted, one decimal; null where there are none")


class ClassShare(Share):
    """Villages of one class, or of none."""

    completeness: dict[CompletenessBand, int] = Field(description="Of these villages, how many in each band")


class RegionClassCounts(BaseModel):
    """Active Kampung KB of a region by class; the classes and those not assessable add up to the total."""

    region_code: str | None = Field(description="Null is the whole country")
    region_name: str | None = Field(description="Null for the whole country, or where no village is known")
    total: int
    classes: dict[VillageClass, ClassShare]
    not_assessable: ClassShare = Field(
        description="Assessed, and without a class, because the ruleset gives none where something is missing"
    )
    completeness: dict[CompletenessBand, Share] = Field(
        description="Villages by how much of what is asked they reported, in percent; each band ends below the next"
    )
    simulated: int = Field(description="Of the total, villages that rest on made-up data")
    without_reports: int | None = Field(
        description="Of the total, villages of which no report has ever arrived; null with `period`"
    )
    not_yet_told: int = Field(
        description="With `period`: beside the total, active villages of which nothing had been told by then; they were "
        "not assessed"
    )


class ClassCounts(BaseModel):
    """Counts of a region and of its parts; the parts add up to the total."""

    ruleset: str | None = Field(
        description="The ruleset in force; null with `period`, because every month keeps the ruleset it was assessed under"
    )
    period: str | None
    by: RegionLevel
    total: RegionClassCounts
    items: list[RegionClassCounts]
