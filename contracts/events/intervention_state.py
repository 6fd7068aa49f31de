"""An intervention as its events carry it: the whole new state."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.events.base import EventData
from contracts.facts import FundingSource
from contracts.regions import RegionCode

Pentahelix = Literal["pemerintah", "akademisi", "dunia_usaha", "komunitas", "media"]


class InterventionVillage(EventData):
    """The village an intervention took place in."""

    id: UUID
    region_code: RegionCode


class InterventionActor(EventData):
    """A kind of institution that took part."""

    code: str = Field(description="Code of the actor list, such as dinas-kesehatan")
    pentahelix: Pentahelix | None = Field(description="Null where the list cannot say (lainnya)")
    web_kkb_number: int | None = Field(description="Number in the predecessor's instansi list, 1-37; null for media")
    other: str | None = Field(description="Free text where the code is lainnya")


class InterventionState(EventData):
    """One revision of one intervention. No officers' names or contacts."""

    intervention_id: UUID
    version: int = Field(ge=1, description="Grows by one with every change of this intervention")
    village: InterventionVillage
    date: date
    title: str
    family_function: str
    kegiatan: str | None
    target_groups: list[str]
    actors: list[InterventionActor]
    funding_source: FundingSource | None
    funding_amount: int | None = Field(description="Rupiah; null = not reported")
    participants: int | None = Field(description="People; null = not reported")
    simulated: bool
    source_system: str
    withdrawn: bool

    @property
    def entity(self) -> str:
        """One an intervention."""
        return f"intervention/{self.intervention_id}"
