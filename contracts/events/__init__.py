"""Events between services: one class a file, frozen, version in the type."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError

from contracts.events.base import Event, EventData, VillageKey
from contracts.events.classification import Classification
from contracts.events.classification_v2 import ClassificationV2
from contracts.events.determination import DeterminedCounts, IssuedDetermination
from contracts.events.determination_issued import DeterminationIssued
from contracts.events.family_planning_reported import FamilyPlanningReported
from contracts.events.intervention_corrected import InterventionCorrected
from contracts.events.intervention_recorded import InterventionRecorded
from contracts.events.intervention_state import InterventionActor, InterventionState, InterventionVillage
from contracts.events.intervention_withdrawn import InterventionWithdrawn
from contracts.events.population_reported import PopulationReported
from contracts.events.profile_reported import ProfileReported
from contracts.events.report_state import ReportState
from contracts.events.village_changed import VillageChanged
from contracts.events.village_classified import VillageClassified
from contracts.events.village_classified_v2 import VillageClassifiedV2
from contracts.events.village_registered import VillageRegistered
from contracts.events.village_state import RegionNames, VillageState

EVENTS: tuple[type[Event], ...] = (
    VillageRegistered,
    VillageChanged,
    ProfileReported,
    PopulationReported,
    FamilyPlanningReported,
    InterventionRecorded,
    InterventionCorrected,
    InterventionWithdrawn,
    VillageClassified,
    DeterminationIssued,
    VillageClassifiedV2,
)
"""Every event of the platform."""

BY_TYPE: dict[str, type[Event]] = {str(event.model_fields["type"].default): event for event in EVENTS}

STREAMS: dict[str, str] = {
    "KKB_REGISTRY": "kkb.registry.>",
    "KKB_INTERVENTIONS": "kkb.interventions.>",
    "KKB_SCORING": "kkb.scoring.>",
}
"""JetStream streams and the subjects each holds."""


class UndecodableEvent(ValueError):
    """A message that is no event of ours: broken JSON, unknown type or version, or data that breaks its contract."""


_VERSION = re.compile(r"\.v[0-9]+$")


def _unknown(kind: str) -> str:
    name = _VERSION.sub("", kind)
    known = sorted(other.removeprefix(name)[1:] for other in BY_TYPE if _VERSION.sub("", other) == name)
    if not known:
        return f"unknown event type: {kind!r}"
    return (
        f"unknown version of an event: {kind!r}; this release reads {', '.join(known)}: "
        "requeue it after this service has been upgraded"
    )


def decode(body: bytes) -> Event:
    """Read an event from the wire.

    Raises:
        UndecodableEvent: with a reason an operator understands; never a half-read event.
    """
    try:
        raw: Any = json.loads(body)
    except (ValueError, RecursionError) as error:  # RecursionError: nested thousands deep, no event of anybody's
        raise UndecodableEvent(f"not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("specversion") != "1.0":
        raise UndecodableEvent("not a CloudEvent 1.0: specversion is missing or another")
    kind = raw.get("type")
    model = BY_TYPE.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise UndecodableEvent(_unknown(str(kind)))
    try:
        # as written, no "3" for 3; a field that a newer producer added is ignored also where our own API would refuse it
        return model.model_validate_json(body, strict=True, extra="ignore")
    except ValidationError as error:
        raise UndecodableEvent(
            f"{kind} breaks its contract: {error.errors(include_input=False, include_url=False)}"
        ) from error


__all__ = [
    "BY_TYPE",
    "EVENTS",
    "STREAMS",
    "Classification",
    "ClassificationV2",
    "DeterminationIssued",
    "DeterminedCounts",
    "Event",
    "EventData",
    "FamilyPlanningReported",
    "InterventionActor",
    "InterventionCorrected",
    "InterventionRecorded",
    "InterventionState",
    "InterventionVillage",
    "InterventionWithdrawn",
    "IssuedDetermination",
    "PopulationReported",
    "ProfileReported",
    "RegionNames",
    "ReportState",
    "UndecodableEvent",
    "VillageChanged",
    "VillageClassified",
    "VillageClassifiedV2",
    "VillageKey",
    "VillageRegistered",
    "VillageState",
    "decode",
]
