"""What the villages room takes and answers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.events import RegionNames
from contracts.regions import RegionCode
from contracts.text import Line, SourceSystem
from kit.paging import ListFilters
from services.registry.villages.tables import Village


class Coverage(StrEnum):
    """Cakupan wilayah: how much of the desa the Kampung KB covers."""

    RW = "rw"
    DUSUN = "dusun"
    DESA = "desa"


class VillageStatus(StrEnum):
    """Status of a Kampung KB; one that is wrong is made inactive, never deleted."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class VillageFields(BaseModel):
    """What a Kampung KB says of itself; null means not reported."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    launch_date: date | None = Field(None, description="Tanggal pencanangan, not before 2016-01-01")
    launch_year: Annotated[int, Field(strict=True)] | None = Field(None, description="Where only the year is known")
    launched_after_year: Annotated[int, Field(strict=True, ge=2016, le=2100)] | None = Field(
        None, description="Where the source only says that it was launched after this year"
    )
    coverage: Coverage | None = None
    coverage_detail: Line | None = Field(None, description="Which RW or dusun")
    decree_number: Line | None = Field(None, description="Number of the decree (SK) that established it")
    decree_date: date | None = None
    latitude: Decimal | None = Field(None, max_digits=9, decimal_places=6, description="Degrees, WGS 84")
    longitude: Decimal | None = Field(None, max_digits=9, decimal_places=6, description="Degrees, WGS 84")


class VillageIn(VillageFields):
    """A Kampung KB to register."""

    region_code: RegionCode = Field(description="Code of its desa or kelurahan (four parts)")
    simulated: bool = Field(False, strict=True, description="Made-up data; shown wherever it is used")
    source_system: SourceSystem = "manual"


class VillageChange(VillageFields):
    """A change: fields left out stay as they are, null makes them not reported."""

    status: VillageStatus | None = None


class VillageOut(BaseModel):
    """A Kampung KB."""

    id: UUID
    region_code: str = Field(examples=["33.26.01.2001"])
    region_names: RegionNames
    name: str | None = Field(description="Null where the source gave none; use the desa's name to show it")
    status: VillageStatus
    launch_date: date | None
    launch_year: int | None
    launched_after_year: int | None
    coverage: Coverage | None
    coverage_detail: str | None
    decree_number: str | None
    decree_date: date | None
    latitude: Decimal | None
    longitude: Decimal | None
    simulated: bool
    source_system: str
    version: int = Field(description="Also the ETag")
    registered_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, village: Village, names: RegionNames) -> Self:
        """From a row and the names of its region."""
        return cls(region_names=names, **village.model_dump(exclude={"registered_by"}))


class VillageFilters(ListFilters):
    """Filters of the list of Kampung KB."""

    region: RegionCode | None = Field(None, description="Only inside this region")
    status: VillageStatus | None = Field(None, description="Whether it is active")
    simulated: bool | None = Field(None, description="Only made-up ones, or only real ones")
