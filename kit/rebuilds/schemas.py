"""What the room of rebuilds takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.text import Line, Prose


class RebuildSource(StrEnum):
    """events: all that the streams hold. services: what the owners have just told again."""

    EVENTS = "events"
    SERVICES = "services"


class RebuildState(StrEnum):
    """Where a rebuild is.

    waiting: for re-emissions, at most two hours. reading: events are folded beside the living projection, which is not touched. settling: the projection is right,
    what is derived from it is being put right. done; failed: the living projection is as it was, unless `tables` says
    what was written: then settling broke off, and a new rebuild finds nothing to write and settles.
    """

    WAITING = "waiting"
    QUEUED = "queued"
    READING = "reading"
    SETTLING = "settling"
    DONE = "done"
    FAILED = "failed"


class Failure(StrEnum):
    """Why a rebuild failed.

    stream_incomplete: a stream does not hold all events that it must. re_emission_incomplete: a stream does not hold all
    of a re-emission. stream_changed: a stream was made anew, or lost events, meanwhile. too_many_failing: too many
    events cannot be applied. interrupted: it was begun several times and never came to its end. never_told: it waited for
    re-emissions and none were named. cancelled: by an operator. defect: of ours.
    """

    STREAM_INCOMPLETE = "stream_incomplete"
    RE_EMISSION_INCOMPLETE = "re_emission_incomplete"
    STREAM_CHANGED = "stream_changed"
    TOO_MANY_FAILING = "too_many_failing"
    INTERRUPTED = "interrupted"
    NEVER_TOLD = "never_told"
    CANCELLED = "cancelled"
    DEFECT = "defect"


class ReEmissionRef(BaseModel):
    """A re-emission that is done, as its owner answers it."""

    model_config = ConfigDict(extra="forbid")

    service: Line = Field(examples=["registry"])
    region: None = Field(description="Must be null: a rebuild out of a part of the country would remove the rest")
    feed_id: UUID
    events: int = Field(ge=0)
    first_position: int | None = Field(ge=1, description="Null where there was nothing to tell")
    last_position: int | None = Field(ge=1)
    started_at: AwareDatetime

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> Self:
        missing = {self.first_position is None, self.last_position is None, self.events == 0}
        if len(missing) > 1:
            raise ValueError("a re-emission with events has both positions, one without has none")
        if self.first_position and self.last_position and self.first_position > self.last_position:
            raise ValueError("first_position comes before last_position")
        return self


class RebuildIn(BaseModel):
    """What a projection is to be rebuilt from."""

    model_config = ConfigDict(extra="forbid")

    source: RebuildSource
    re_emissions: list[ReEmissionRef] | None = Field(
        None,
        max_length=10,
        description="With source `services`: a re-emission of every service that is followed here. Left out, the "
        "consumers pause and the rebuild waits for them, which spares the re-emitted events their effects",
    )
    reason: Prose = Field(description="Kept with the rebuild")
    dry_run: bool = Field(False, strict=True, description="Only tell what would change")


class ReEmissionsIn(BaseModel):
    """What a waiting rebuild waits for."""

    model_config = ConfigDict(extra="forbid")

    re_emissions: list[ReEmissionRef] = Field(
        max_length=10, description="One of every service that is followed here, begun after the rebuild was asked for"
    )


class TableDifferences(BaseModel):
    """How a living table differed from what the events say."""

    added: int = Field(description="Rows that were missing")
    changed: int = Field(description="Rows that were different")
    removed: int = Field(description="Rows that no event supports")
    kept: int = Field(description="Rows that no event supports, and that stay because something refers to them")
    kept_ids: list[str] = Field(description="The first of them")


class SettledOut(BaseModel):
    """What is derived from the projection."""

    checked: int
    written: int = Field(description="Put right")
    announced: int = Field(description="News, because it differed from what was last told")


class RebuildOut(BaseModel):
    """A rebuild."""

    id: UUID
    service: str
    source: RebuildSource
    re_emissions: list[ReEmissionRef] | None
    reason: str
    dry_run: bool
    state: RebuildState
    requested_by: str = Field(description="Id of the key that asked for it")
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    events_read: int
    events_expected: int | None = Field(description="As many at least; null until reading has begun")
    unreadable: int = Field(description="Events left out because this release cannot read them")
    failing: int = Field(description="Events left out because applying them fails")
    tables: dict[str, TableDifferences] | None = Field(description="By table; null until it is known")
    settled: SettledOut | None = Field(description="Null where nothing is derived, and until it has begun")
    failure: Failure | None
    failure_detail: str | None

    @classmethod
    def of(cls, service: str, row: Any) -> Self:
        """From a row."""
        return cls.model_validate({**row._mapping, "service": service, "tables": row.differences})  # noqa: SLF001 - SQLAlchemy's public name for it
