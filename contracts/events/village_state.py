"""A Kampung KB as its events carry it: the whole new state."""

from __future__ import annotations

from datetime import date

from contracts.events.base import EventData, VillageKey


class RegionNames(EventData):
    """Official names from the province down, of the code list's edition in force."""

    province: str
    regency: str
    district: str
    village: str


class VillageState(EventData):
    """What the registry knows of a Kampung KB itself (its reports are events of their own)."""

    village: VillageKey
    region_names: RegionNames
    name: str | None
    status: str
    launch_date: date | None
    launch_year: int | None
    simulated: bool
    source_system: str

    @property
    def entity(self) -> str:
        """One a Kampung KB."""
        return f"village/{self.village.id}"
