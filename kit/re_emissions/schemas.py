"""What the room of re-emissions takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import RegionCode
from contracts.text import Prose


class ReEmissionState(StrEnum):
    """Where a re-emission is. done: all its events are committed and have their positions in the feed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ReEmissionIn(BaseModel):
    """What is to be told again."""

    model_config = ConfigDict(extra="forbid")

    region: RegionCode | None = Field(None, description="Only things of this region; your own where left out")
    reason: Prose = Field(description="Kept with the re-emission")


class ReEmissionOut(BaseModel):
    """A re-emission."""

    id: UUID
    service: str
    region: str | None = Field(description="Null is the whole country")
    reason: str
    state: ReEmissionState
    events: int = Field(description="Events written so far")
    feed_id: UUID | None = Field(description="The feed that the positions are of; null until done")
    first_position: int | None = Field(
        description="Position of its first event; null until done, and where it had none"
    )
    last_position: int | None = Field(description="Position of its last event; others' events may lie in between")
    requested_by: str = Field(description="Id of the key that asked for it")
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None = Field(description="Why it was given up; null unless it failed")

    @classmethod
    def of(cls, service: str, row: Any) -> Self:
        """From a row."""
        return cls.model_validate({**row._mapping, "service": service, "region": row.region_code})  # noqa: SLF001 - SQLAlchemy's public name for it
