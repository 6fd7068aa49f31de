"""A village reported its population for one period."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.report_state import ReportState
from contracts.facts import PopulationFacts


class PopulationReported(Event):
    """A village reported its population for one period."""

    stream: ClassVar[str] = "KKB_REGISTRY"
    type: Literal["id.kampungkb.registry.population-reported.v1"] = "id.kampungkb.registry.population-reported.v1"
    data: ReportState[PopulationFacts]
