"""What the webhooks room takes and answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.regions import RegionCode
from contracts.text import Line
from gateway.webhooks.rules import LONGEST_URL
from gateway.webhooks.tables import Webhook
from kit.changes.types import services, types_by_name
from kit.paging import ListFilters

MOST_OVERLAP_HOURS = 168

_NAMES = tuple(name for service in services() for name in types_by_name(service))
_EventName: Any = Literal[_NAMES]
_Service: Any = Literal[tuple(services())]


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise ValueError("each type once")
    return sorted(names)


EventNames = Annotated[list[_EventName], Field(min_length=1), AfterValidator(_each_once)]
Url = Annotated[str, Field(min_length=1, max_length=LONGEST_URL, examples=["https://siga.example.go.id/kampung-kb"])]

_TYPES = "Only events of these types, by short name or CloudEvents type; null: all"
_REGION = "Only events about this region and below; null: all of your region"
_URL = "Where events are sent: https, no user name, a public address unless the platform allows its network"


class State(StrEnum):
    """Whether events are sent."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Reason(StrEnum):
    """Why no events are sent.

    Asked for; three days of failures; the receiver said 410; its secret cannot be read; the owner's key was revoked, has
    expired, or may no longer read events.
    """

    ASKED = "asked"
    FAILURES = "failures"
    GONE = "gone"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a reason
    OWNER_REVOKED = "owner_revoked"
    OWNER_EXPIRED = "owner_expired"
    OWNER_NOT_ALLOWED = "owner_not_allowed"


class WebhookIn(BaseModel):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(description="What it is for", examples=["SIGA Kabupaten Pekalongan"])
    url: Url = Field(description=_URL)
    types: EventNames | None = Field(None, description=_TYPES)
    region: RegionCode | None = Field(None, description=_REGION)
    since: dict[_Service, Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        default_factory=dict,
        description="Where to begin, by service: `next_since` of a change feed that you have read up to there. "
        "A feed that is left out begins now",
    )


class WebhookPatch(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Line | None = None
    url: Url | None = Field(None, description=_URL)
    types: EventNames | None = Field(None, description=_TYPES)
    region: RegionCode | None = Field(None, description=_REGION)


class Missed(StrEnum):
    """What becomes of events that waited while a webhook was paused."""

    DELIVER = "deliver"
    SKIP = "skip"


class Resumption(BaseModel):
    """How to go on after a pause."""

    model_config = ConfigDict(extra="forbid")

    missed: Missed = Field(description="What becomes of the events that waited: delivered first, or skipped")


class Rotation(BaseModel):
    """A new secret beside the old one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(
        24, ge=0, le=MOST_OVERLAP_HOURS, description="How long the old secret signs as well; 0: not any more"
    )


class WebhookOut(BaseModel):
    """A webhook, without its secret."""

    id: UUID
    version: int = Field(description="Grows with every change, and is the ETag")
    name: str
    url: str
    types: list[str] | None = Field(description="Null: all")
    region: str | None = Field(description="Null: the whole country")
    state: State
    reason: Reason | None = Field(description="Why no events are sent; null while they are")
    state_since: datetime
    owner_id: str = Field(description="Id of the key it belongs to; with the key it ends")
    created_at: datetime
    delivered_at: datetime | None = Field(description="When the receiver last took something; null: never")
    failures: int = Field(description="Failed attempts since then; 0 while all is well")
    failing_since: datetime | None
    retry_at: datetime | None = Field(description="When the receiver is tried again; null while all is well")
    previous_secret_until: datetime | None = Field(
        description="Until when the secret before the last rotation signs, too"
    )
    catching_up: list[str] = Field(description="Services whose feed is still being read from where you wanted to begin")

    @classmethod
    def of(cls, webhook: Webhook, catching_up: Sequence[str], now: datetime) -> Self:
        """From a row, as it is at a moment."""
        until = webhook.previous_until
        return cls(
            **webhook.model_dump(include=set(cls.model_fields)),
            previous_secret_until=until if until is not None and until > now else None,
            catching_up=list(catching_up),
        )


class WebhookIssued(WebhookOut):
    """A webhook with its secret."""

    secret: str | None = Field(
        description="The secret that messages are signed with (`whsec_...`), shown this once. Null in a replay "
        "(Idempotency-Replayed: true): if the first answer was lost, rotate it"
    )


class WebhookFilters(ListFilters):
    """Filters of the list of webhooks."""

    state: State | None = Field(None, description="Only those in this state")
