"""What the regions room takes and answers."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from contracts.regions import RegionCode, RegionLevel
from contracts.text import Line
from kit.paging import ListFilters
from services.registry.regions.tables import Region


class RegionFilters(ListFilters):
    """Filters of the list of regions."""

    parent: RegionCode | None = Field(None, description="Only direct children of this region")
    within: RegionCode | None = Field(None, description="Only this region and all below it")
    level: RegionLevel | None = Field(None, description="Level of the code list")
    name: Line | None = Field(None, min_length=2, max_length=100, description="Part of the name, any case")


class RegionOut(BaseModel):
    """A region of the code list."""

    code: str = Field(examples=["33.26.01.2001"])
    level: RegionLevel
    name: str
    parent: str | None
    edition: str = Field(description="Edition of the code list, such as Kepmendagri 300.2.2-2138/2025")

    @classmethod
    def of(cls, region: Region) -> Self:
        """From a row."""
        return cls(
            code=region.code,
            level=RegionLevel(region.level),
            name=region.name,
            parent=region.parent_code,
            edition=region.edition,
        )


class RegionDetail(RegionOut):
    """A region with all regions above it."""

    path: list[RegionOut] = Field(description="From the province down to the region itself")
