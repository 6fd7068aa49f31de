"""A village reported what it is and has for one period."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.report_state import ReportState
from contracts.facts import ProfileFacts


class ProfileReported(Event):
    """A village reported what it is and has for one period."""

    stream: ClassVar[str] = "KKB_REGISTRY"
    type: Literal["id.kampungkb.registry.profile-reported.v1"] = "id.kampungkb.registry.profile-reported.v1"
    data: ReportState[ProfileFacts]
