"""A Kampung KB's own data or status changed."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.village_state import VillageState


class VillageChanged(Event):
    """A Kampung KB's own data or status changed."""

    stream: ClassVar[str] = "KKB_REGISTRY"
    type: Literal["id.kampungkb.registry.village-changed.v1"] = "id.kampungkb.registry.village-changed.v1"
    data: VillageState
