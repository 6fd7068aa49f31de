"""What the histories room takes and answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from contracts.classes import VillageClass
from contracts.regions import Period, RegionCode
from services.scoring.assessments.schemas import Answer, AssessedVillage, Completeness

MOST_MONTHS = 120


class SupersededOut(Answer):
    """What was said of a month before late data or another ruleset changed it."""

    revision: int
    village_class: VillageClass | None = Field(alias="class", description="Null where not assessable")
    indexes: dict[str, str | None] = Field(description="Decimal strings by dimension; null where not assessable")
    scores: dict[str, int | None] = Field(description="1-4 by indicator; null where not assessable")
    completeness: Completeness
    simulated: bool
    ruleset: str
    ruleset_digest: str
    assessed_at: datetime
    superseded_at: datetime


class MonthOut(Answer):
    """What a village is classed as from everything of a month or earlier."""

    period: str = Field(examples=["2025-09"])
    revision: int = Field(description="Grows by one whenever late data or another ruleset changes this month's answer")
    village_class: VillageClass | None = Field(alias="class", description="Null where not assessable")
    previous_class: VillageClass | None = Field(
        description="Of the month before in this list; null at the first, and where that had none"
    )
    indexes: dict[str, str | None] = Field(description="Decimal strings by dimension; null where not assessable")
    scores: dict[str, int | None] = Field(description="1-4 by indicator; null where not assessable")
    completeness: Completeness
    simulated: bool
    ruleset: str
    ruleset_digest: str
    assessed_at: datetime = Field(description="Since when this month's answer holds")
    superseded: list[SupersededOut] = Field(description="Earlier revisions, oldest first")


class History(Answer):
    """A village's months, newest first. A month in which nothing changed has no row: the one before holds.

    What changes something is a report or intervention of that month and, under a ruleset that looks at time, that one got
    too old in it.
    """

    village: AssessedVillage
    items: list[MonthOut]
    next_cursor: str | None = Field(description="Cursor of the next page; null at the end")


class TrendFilters(BaseModel):
    """Which region, and which months."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    region: RegionCode | None = Field(None, description="Your own region where left out")
    first: Period | None = Field(None, alias="from", description="First month; a year before the last where left out")
    last: Period | None = Field(None, alias="to", description="Last month; the present one where left out")


class TrendMonth(Answer):
    """Active Kampung KB of a region by the class that held at the end of a month; the numbers add up to the total."""

    period: str = Field(examples=["2025-09"])
    classes: dict[VillageClass, int]
    not_assessable: int = Field(description="Of which something was known, and no class could be given")
    not_yet_told: int = Field(description="Of which nothing had been reported or recorded by then")
    risen: int = Field(description="Villages whose class in this month is higher than in their month before")
    fallen: int = Field(description="Villages whose class in this month is lower than in their month before")


class Trend(Answer):
    """A region's classes month by month, over the villages that are active now."""

    region_code: str | None = Field(description="Null is the whole country")
    total: int
    items: list[TrendMonth]
