"""What the findings room answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.regions import Period, RegionCode
from contracts.text import Line
from kit.paging import ListFilters
from services.registry.findings.tables import Finding


class FindingOut(BaseModel):
    """Something that does not add up."""

    id: UUID
    village_id: UUID
    region_code: str
    period: str | None = Field(description="Null where it is not about one month")
    source_system: str
    code: str = Field(examples=["users_above_couples"])
    subject: str = Field(description="Which number it is about")
    severity: str = Field(description="error: cannot be true; warning: does not fit together")
    message: str = Field(description="A sentence in Indonesian")
    numbers: dict[str, Any]
    found_at: datetime
    resolved_at: datetime | None = Field(description="When a later report no longer showed it")

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """From a row."""
        return cls.model_validate(finding.model_dump())


class FindingFilters(ListFilters):
    """Filters of the list of findings."""

    region: RegionCode | None = Field(None, description="Only inside this region")
    village: UUID | None = Field(None, description="Id of the Kampung KB")
    code: Line | None = Field(None, max_length=60, description="What does not add up")
    period: Period | None = Field(None, description="Month of the report, YYYY-MM")
    resolved: bool = Field(False, description="Also findings that a later report has resolved")
