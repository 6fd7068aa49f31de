"""An intervention was withdrawn; it no longer counts but stays readable."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.intervention_state import InterventionState


class InterventionWithdrawn(Event):
    """An intervention was withdrawn; it no longer counts but stays readable."""

    stream: ClassVar[str] = "KKB_INTERVENTIONS"
    tombstone: ClassVar[bool] = True
    type: Literal["id.kampungkb.interventions.intervention-withdrawn.v1"] = (
        "id.kampungkb.interventions.intervention-withdrawn.v1"
    )
    data: InterventionState
