"""A village reported participation and family planning for one period."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.report_state import ReportState
from contracts.facts import FamilyPlanningFacts


class FamilyPlanningReported(Event):
    """A village reported participation and family planning for one period."""

    stream: ClassVar[str] = "KKB_REGISTRY"
    type: Literal["id.kampungkb.registry.family-planning-reported.v1"] = (
        "id.kampungkb.registry.family-planning-reported.v1"
    )
    data: ReportState[FamilyPlanningFacts]
