"""The envelope of every event: CloudEvents 1.0, structured JSON."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import RegionCode


class EventData(BaseModel):
    """What an event says. Frozen; unknown fields are ignored so that a newer producer does not break an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def entity(self) -> str:
        """What the event is the newest state of, such as `intervention/<id>`: the key to keep one row by."""
        raise NotImplementedError


class VillageKey(EventData):
    """Which village an event is about."""

    id: UUID
    region_code: RegionCode
    version: int = Field(ge=1, description="The village's version in its owner, grows by one with every change")


class Event(BaseModel):
    """A fact in the past tense. Subclasses fix `type` and `data`; one class a file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream: ClassVar[str]
    """JetStream stream that holds the event."""
    tombstone: ClassVar[bool] = False
    """Whether the event says that its entity no longer counts."""
    addressed: ClassVar[str] = "Code of the desa, its parts as tokens: 33.26.01.2001; subscribe with 33.26.>"
    """What the region at the end of its subject on the bus is."""

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(description="Service that owns the fact, such as /services/registry")
    type: str
    subject: RegionCode = Field(description="Region code of the village, or of the region, that it is about")
    time: datetime = Field(description="When the change was made, with time zone")
    datacontenttype: str = "application/json"
    traceparent: str | None = None
    data: EventData

    @property
    def entity(self) -> str:
        """What the event is the newest state of; events of one entity replace one another by version."""
        return self.data.entity

    @property
    def nats_subject(self) -> str:
        """Subject on the bus: kkb.registry.profile-reported.v1.33.26.01.2001."""
        return nats_subject(self.type, self.subject)


def nats_subject(kind: str, region_code: str) -> str:
    """Subject on the bus of an event type and the village's region code."""
    return f"kkb.{kind.removeprefix('id.kampungkb.')}.{region_code}"
