"""What the recomputations room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import Period, RegionCode
from contracts.text import Prose
from kit.paging import ListFilters
from services.scoring.recomputations.tables import Recomputation


class RecomputationState(StrEnum):
    """queued: waits for its turn. running. done. cancelled: what was assessed until then stays. failed: see `failure`.

    A cancelled or failed one can be resumed: it goes on where it ended.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class RecomputationIn(BaseModel):
    """Which villages are to be assessed anew, and from which month on."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Your own region where left out")
    since: Period | None = Field(None, description="Also every month from this one on; only the present where left out")
    reason: Prose = Field(description="Kept with the recomputation")


class RecomputationFilters(ListFilters):
    """Filters of the list of recomputations."""

    state: RecomputationState | None = Field(None, description="How far they are")


class RecomputationOut(BaseModel):
    """A recomputation and how far it is."""

    id: UUID
    region: str | None = Field(description="Null is the whole country")
    since: str | None = Field(
        description="Month (YYYY-MM) from which on months are assessed anew; null: the present only"
    )
    reason: str
    state: RecomputationState
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    villages_total: int | None = Field(description="Null until it begins")
    villages_done: int
    written: int = Field(description="Assessments that differed from what was stored")
    news: int = Field(description="Of which another answer than was last told: so many events were published")
    failure: str | None

    @classmethod
    def of(cls, job: Recomputation) -> Self:
        """From its row."""
        return cls(region=job.region_code, **job.model_dump(include=set(cls.model_fields) - {"region"}))
