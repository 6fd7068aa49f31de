"""A determination as its event carries it: header, counts and digest; the list of villages is asked for over the API."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from contracts.events.base import EventData
from contracts.regions import RegionCode


class DeterminedCounts(EventData):
    """How many villages were determined, by class; the classes and those not assessable add up to the villages."""

    villages: int
    dasar: int
    berkembang: int
    mandiri: int
    berkelanjutan: int
    not_assessable: int
    without_reports: int = Field(description="Of the villages, those of which no report counted")
    simulated: int = Field(description="Of the villages, those that rest on made-up data")


class IssuedDetermination(EventData):
    """The classes of a region's villages, frozen for a period by a decree. It never changes: there is one event of it."""

    determination_id: UUID
    region_code: RegionCode
    region_name: str
    period: str
    ruleset: str
    ruleset_digest: str
    decree_number: str
    decree_date: date
    counts: DeterminedCounts
    simulated: bool = Field(description="Whether anything of it rests on made-up data")
    replaces: UUID | None = Field(description="The determination of the same region and period that this one corrects")
    note: str | None
    digest: str = Field(description="SHA-256 of the whole content as canonical JSON, list included")
    issued_by: str
    issued_at: datetime

    @property
    def entity(self) -> str:
        """One a determination."""
        return f"determination/{self.determination_id}"
