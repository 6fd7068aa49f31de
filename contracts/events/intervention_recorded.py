"""An intervention was recorded at a village."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.intervention_state import InterventionState


class InterventionRecorded(Event):
    """An intervention was recorded at a village."""

    stream: ClassVar[str] = "KKB_INTERVENTIONS"
    type: Literal["id.kampungkb.interventions.intervention-recorded.v1"] = (
        "id.kampungkb.interventions.intervention-recorded.v1"
    )
    data: InterventionState
