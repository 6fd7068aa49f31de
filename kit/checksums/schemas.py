"""What checksums take and answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import RegionCode, RegionLevel
from kit.checksums.things import Kind


class ChecksumFilters(BaseModel):
    """Which region."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Your own region where left out")


class PartChecksum(BaseModel):
    """The things of one kind in one part of the region."""

    region_code: str = Field(examples=["33.26.01"])
    count: int
    digest: str = Field(description="Sum of all lines' numbers modulo 2^64, hexadecimal", examples=["09ab63f01e77c2d4"])


class KindChecksum(BaseModel):
    """The things of one kind in the whole region; the parts' counts and digests add up to these."""

    kind: Kind
    count: int
    digest: str = Field(description="Sum of all lines' numbers modulo 2^64, hexadecimal", examples=["1f00a2c94d77be01"])
    parts: list[PartChecksum] = Field(description="Parts with at least one such thing, by code")


class Checksums(BaseModel):
    """What a service holds of a region."""

    service: str
    region_code: str | None = Field(description="Null is the whole country")
    by: RegionLevel = Field(description="Level of the parts: one below the region, or a desa itself")
    as_of: int = Field(description="Position of the newest event in the service's feed at that moment")
    settled: bool = Field(
        description="True where the feed up to `as_of` gives exactly this state; false where changes were just being "
        "committed: ask again before you compare with what you followed"
    )
    kinds: list[KindChecksum]
