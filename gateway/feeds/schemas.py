"""What the feeds room answers."""

from __future__ import annotations

from pydantic import BaseModel, Field


class FeedEvent(BaseModel):
    """One type of event in a feed."""

    name: str = Field(description="Short name, for the filter `type`", examples=["profile-reported"])
    type: str = Field(description="CloudEvents type", examples=["id.kampungkb.registry.profile-reported.v1"])
    tombstone: bool = Field(description="It says that the thing no longer counts")
    about: str


class Feed(BaseModel):
    """One service's feed."""

    service: str
    changes: str = Field(description="Address of the feed", examples=["/api/v1/changes/registry"])
    checksums: str = Field(description="Address of its checksums", examples=["/api/v1/checksums/registry"])
    events: list[FeedEvent]


class Feeds(BaseModel):
    """All feeds."""

    items: list[Feed]
