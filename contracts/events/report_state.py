"""A report as its events carry it: the whole report, not a difference."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import ConfigDict, Field

from contracts.events.base import EventData, VillageKey
from contracts.facts import KIND_OF, FamilyPlanningFacts, PopulationFacts, ProfileFacts
from contracts.regions import Period

F = TypeVar("F", ProfileFacts, PopulationFacts, FamilyPlanningFacts)


class ReportState(EventData, Generic[F]):
    """One revision of one report of a village for one period, from one source."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    village: VillageKey
    report_id: UUID
    period: Period
    revision: int = Field(ge=1, description="Grows by one within village, kind, period and source system")
    source_system: str
    simulated: bool
    reported_at: datetime
    facts: F

    @property
    def entity(self) -> str:
        """One a village, kind, period and source system."""
        return f"report/{self.village.id}/{KIND_OF[type(self.facts)].value}/{self.period}/{self.source_system}"
