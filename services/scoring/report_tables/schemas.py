"""What the report tables room answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from contracts.regions import RegionLevel
from services.scoring.assessments.schemas import Texts
from services.scoring.class_counts.schemas import Share


class TableColumn(BaseModel):
    """A column: what is counted."""

    code: str = Field(examples=["dasar", "not_assessable", "pokja_decree.not_reported"])
    labels: Texts


class TableRow(BaseModel):
    """The active Kampung KB of a region, counted column by column."""

    region_code: str | None = Field(description="Null is the whole country")
    region_name: str | None = Field(description="Null for the whole country, or where no village is known")
    total: int
    cells: dict[str, Share] = Field(description="By column; percent of the total")
    simulated: int = Field(description="Of the total, villages that rest on made-up data")


class ReportTable(BaseModel):
    """A table of a region part by part; the rows add up to the total."""

    title: Texts
    ruleset: str | None = Field(description="The ruleset in force, where the table depends on it; null with `period`")
    period: str | None = Field(description="The month at whose end this held; null is now")
    by: RegionLevel
    columns: list[TableColumn]
    total: TableRow
    items: list[TableRow]
