"""What the reports room takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.facts import FamilyPlanningFacts, PopulationFacts, ProfileFacts, ReportKind
from contracts.regions import Period
from contracts.text import Line, SourceSystem
from kit.paging import ListFilters
from services.registry.findings.schemas import FindingOut
from services.registry.reports.tables import Report

F = TypeVar("F", ProfileFacts, PopulationFacts, FamilyPlanningFacts)


class ReportIn(BaseModel, Generic[F]):
    """A report of one village for one month. What is left out or null is "not reported", never "no" or zero."""

    model_config = ConfigDict(extra="forbid")

    period: Period
    facts: F
    simulated: bool = Field(False, strict=True, description="Made-up data; shown wherever it is used")
    source_system: SourceSystem = "manual"
    source_reference: Line | None = Field(None, description="Where the source keeps it: form, table, file")


class ReportOut(BaseModel, Generic[F]):
    """One revision of a report."""

    id: UUID
    village_id: UUID
    kind: ReportKind
    period: str = Field(examples=["2025-09"])
    revision: int = Field(description="Also the ETag")
    source_system: str
    source_reference: str | None
    simulated: bool
    reported_at: datetime
    superseded_at: datetime | None = Field(description="When a newer revision took its place; null for the current one")
    facts: F

    @classmethod
    def of(cls, report: Report) -> Self:
        """From a row."""
        values: dict[str, Any] = report.model_dump(exclude={"reported_by"})
        return cls.model_validate(values)


class ReportAnswer(BaseModel, Generic[F]):
    """A report as it was stored, with what does not add up in it."""

    report: ReportOut[F]
    unchanged: bool = Field(description="True when the same report was there already and nothing was stored")
    findings: list[FindingOut] = Field(description="Open findings of this village, period and source")


class ReportFilters(ListFilters):
    """Filters of the list of a village's reports."""

    period: Period | None = Field(None, description="Month that was reported on, YYYY-MM")
    source_system: SourceSystem | None = Field(None, description="Where the report comes from")
    superseded: bool = Field(False, description="Also revisions that a newer one has replaced")
