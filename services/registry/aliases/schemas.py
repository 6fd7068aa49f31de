"""What the aliases room takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from contracts.regions import RegionCode
from contracts.text import SourceSystem
from kit.paging import ListFilters
from services.registry.aliases.rules import How
from services.registry.aliases.tables import PlaceAlias


class AliasFilters(ListFilters):
    """Filters of the list of aliases."""

    region: RegionCode | None = Field(None, description="Only villages inside this region")
    source_system: SourceSystem | None = Field(None, description="Whose names they are")


class AliasOut(BaseModel):
    """How another system writes a village, and the village it means."""

    id: UUID
    source_system: str = Field(examples=["siga"])
    province: str
    regency: str
    district: str
    village: str = Field(description="The village's name as the other system writes it", examples=["MAPILI"])
    region_code: str = Field(description="The village it means", examples=["76.04.08.1001"])
    how: How = Field(description="How it was found: an abbreviation spelled out, or the KODE of the same names")
    remembered_at: datetime

    @classmethod
    def of(cls, alias: PlaceAlias) -> Self:
        """From a row."""
        return cls.model_validate(alias.model_dump(exclude={"key", "remembered_by"}))
