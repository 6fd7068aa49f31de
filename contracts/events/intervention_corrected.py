"""An intervention was corrected."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.intervention_state import InterventionState


class InterventionCorrected(Event):
    """An intervention was corrected."""

    stream: ClassVar[str] = "KKB_INTERVENTIONS"
    type: Literal["id.kampungkb.interventions.intervention-corrected.v1"] = (
        "id.kampungkb.interventions.intervention-corrected.v1"
    )
    data: InterventionState
