"""What the deliveries room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from kit.paging import ListFilters


class DeliveryState(StrEnum):
    """Where a delivery is. skipped: nobody will send it, because the webhook's owner said so, or may not see it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    SKIPPED = "skipped"


class Outcome(StrEnum):
    """What became of an attempt.

    Answered with 2xx, 4xx, 410, 5xx, 3xx; no answer in time, no connection, a name without address, an address that is
    not allowed, TLS failed, an answer that was no HTTP.
    """

    DELIVERED = "delivered"
    REFUSED = "refused"
    GONE = "gone"
    FAILED = "failed"
    REDIRECTED = "redirected"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "unresolved"
    BLOCKED = "blocked"
    TLS = "tls"
    BROKEN = "broken"


class DeliveryOut(BaseModel):
    """One message to one webhook."""

    id: int
    message_id: UUID = Field(description="Header `webhook-id`; of an event its own id, the same in every attempt")
    type: str
    region_code: str | None = Field(description="What the event is about; null of a ping and of a notice")
    state: DeliveryState
    attempts: int
    logged_at: datetime = Field(description="When the platform began to send it")
    due_at: datetime | None = Field(
        description="When it is tried next, if nothing before it holds it up; null where it is not waiting"
    )
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row."""
        return cls.model_validate(_fields(row))


class AttemptOut(BaseModel):
    """One attempt."""

    number: int
    at: datetime
    outcome: Outcome
    status: int | None = Field(description="Status of the answer; null where there was none")
    milliseconds: int
    reason: str | None = Field(description="What went wrong; null where nothing did")
    excerpt: str | None = Field(description="The beginning of an answer that was no success, one line")


class DeliveryDetail(DeliveryOut):
    """One message to one webhook, with what was sent and every attempt."""

    body: str = Field(description="What is sent, byte for byte")
    tried: list[AttemptOut] = Field(description="The attempts, the newest 50, newest first")

    @classmethod
    def with_attempts(cls, row: Any, attempts: list[Any]) -> Self:
        """From rows."""
        tried = [AttemptOut.model_validate(one, from_attributes=True) for one in attempts]
        return cls.model_validate({**_fields(row), "body": row.body.decode(), "tried": tried})


def _fields(row: Any) -> dict[str, Any]:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return values | {"due_at": values["due_at"] if values["state"] == DeliveryState.WAITING else None}


class DeliveryFilters(ListFilters):
    """Filters of the list of deliveries."""

    state: DeliveryState | None = Field(None, description="Only those in this state")


class Which(StrEnum):
    """Which deliveries of a span are sent again."""

    UNDELIVERED = "undelivered"
    ALL = "all"


class RedeliveryIn(BaseModel):
    """A span of time whose messages are sent again."""

    model_config = ConfigDict(extra="forbid")

    start: AwareDatetime = Field(description="Logged from this moment on, with time zone")
    end: AwareDatetime = Field(description="and before this one")
    which: Which = Field(
        Which.UNDELIVERED, description="Those that were given up or skipped; or all, delivered ones as well"
    )


class RedeliveryOut(BaseModel):
    """How many are sent again."""

    deliveries: int
