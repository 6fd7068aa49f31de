"""What the room of dead letters takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import RegionCode
from contracts.text import Line, Prose
from kit.dead_letters.rules import Payload, named_in, payload_of
from kit.paging import ListFilters


class Outcome(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    HANDLED = "handled"
    DISCARDED = "discarded"


class DeadLetterOut(BaseModel):
    """An event that a consumer could not handle, without its payload."""

    id: int
    consumer: str = Field(examples=["scoring-registry"])
    event_type: str | None = Field(description="Null where the message does not say it")
    event_id: str | None = Field(description="Null where the message does not say it")
    subject: str = Field(description="NATS subject it came by")
    region_code: str | None = Field(description="Null where the subject names none; only nation-wide callers see those")
    stream_sequence: int = Field(description="Its number in the stream it came by")
    attempts: int = Field(description="How often it was tried, requeuing included")
    reason: str = Field(description="Why it failed the last time")
    created_at: datetime = Field(description="When it was put aside")
    failed_at: datetime = Field(description="When it failed the last time")
    outcome: Outcome
    resolved_at: datetime | None
    resolved_by: str | None = Field(description="Id of the key that requeued or discarded it")
    resolution: str | None = Field(description="Why it was discarded; null unless it was")

    @classmethod
    def of(cls, row: Any, **more: Any) -> Self:
        """From a row; `more` are the fields that subclasses add."""
        event_type, event_id = named_in(row.body)
        outcome = row.outcome or Outcome.OPEN
        return cls.model_validate(
            {**row._mapping, "event_type": event_type, "event_id": event_id, "outcome": outcome, **more}  # noqa: SLF001 - SQLAlchemy's public name for it
        )


class DeadLetterDetail(DeadLetterOut):
    """A dead letter with its payload."""

    payload: Payload

    @classmethod
    def of(cls, row: Any, **more: Any) -> Self:
        """From a row."""
        return super().of(row, payload=payload_of(row.body), **more)


class RequeuedOut(DeadLetterOut):
    """A dead letter that was handled."""

    effect: Literal["applied", "stale", "duplicate"] = Field(
        description="applied: it took effect now; stale: something newer was there, nothing changed; "
        "duplicate: it had taken effect before, nothing changed"
    )


class DeadLetterFilters(ListFilters):
    """Filters of the list of dead letters."""

    consumer: Line | None = Field(None, max_length=100, description="Only of this consumer")
    region: RegionCode | None = Field(None, description="Only inside this region")
    outcome: Outcome = Field(Outcome.OPEN, description="Those nobody has dealt with, unless you ask for others")


class Discard(BaseModel):
    """Why a dead letter is discarded."""

    model_config = ConfigDict(extra="forbid")

    reason: Prose = Field(description="Kept with the dead letter")
