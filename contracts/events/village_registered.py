"""A Kampung KB was registered for a desa or kelurahan."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.village_state import VillageState


class VillageRegistered(Event):
    """A Kampung KB was registered for a desa or kelurahan."""

    stream: ClassVar[str] = "KKB_REGISTRY"
    type: Literal["id.kampungkb.registry.village-registered.v1"] = "id.kampungkb.registry.village-registered.v1"
    data: VillageState
