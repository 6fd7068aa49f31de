"""The envelope of every event: CloudEvents 1.0, structured JSON."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.regions import RegionCode


class EventData(BaseModel):
    """What an event says. Frozen; unknown fields are ignored so that a newer producer does not break an older reader."""

    model_config = ConfigDict(frozen=True, extra="ignore")


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

    specversion: str = "1.0"
    id: UUID
    source: str = Field(description="Service that owns the fact, such as /services/registry")
    type: str
    subject: RegionCode = Field(description="Region code of the village")
    time: datetime = Field(description="When the change was made, with time zone")
    datacontenttype: str = "application/json"
    traceparent: str | None = None

    @property
    def nats_subject(self) -> str:
        """Subject on the bus: kkb.registry.profile-reported.v1.33.26.01.2001."""
        _, _, service_and_name = self.type.partition("id.kampungkb.")
        return f"kkb.{service_and_name}.{self.subject}"
