"""What the change feed takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model

from contracts.regions import RegionCode
from kit.changes.types import types_by_name, types_of

MAX_WAIT_SECONDS = 25
LONGEST_SECONDS = 27
"""Waiting and reading together: below the 30 s after which the gateway gives up a service that does not answer."""
ANSWER_SECONDS = 1.0
"""What is left of the time for reading and answering: who is not waited for any longer is told that nothing came."""


class ChangeFilters(BaseModel):
    """Where to read on, and what to leave out."""

    model_config = ConfigDict(extra="forbid")

    since: str | None = Field(
        None, max_length=500, description="`next_since` of the page before; left out: from the beginning"
    )
    region: RegionCode | None = Field(None, description="Only villages of this region; your own where left out")
    limit: int = Field(200, ge=1, le=500, description="Most events to return")
    wait: float = Field(
        0,
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="Seconds to wait for an event where there is none yet; the answer comes as soon as there is one",
    )


class FeedItem(BaseModel):
    """One event with its place in the feed."""

    position: int = Field(description="Grows in the order of commits; numbers may be left out")
    entity: str = Field(
        description="What the event is the newest state of: keep one row by it",
        examples=["intervention/01980000-0000-7000-8000-0000000000c8"],
    )
    tombstone: bool = Field(description="True where the thing no longer counts: drop the row (and keep its version)")


class FeedPage(BaseModel):
    """A page of the feed."""

    next_since: str = Field(description="Where to read on: send it as `since`, whether or not there are items")
    more: bool = Field(description="There is more already: ask again at once")


def filters_of(service: str) -> type[ChangeFilters]:
    """The filters of a service's feed, with the closed set of its event types."""
    names = tuple(types_by_name(service))
    what = "Only events of these types, by short name or CloudEvents type; may be given several times"
    kind: Any = list[Literal[names]]  # type: ignore[valid-type]  # the names are the contracts'
    return create_model(
        f"{service.capitalize()}ChangeFilters",
        __base__=ChangeFilters,
        type=(kind, Field(default_factory=list, description=what)),
    )


def page_of(service: str) -> type[FeedPage]:
    """What a service's feed answers, for the contract: the events are sent as they were written."""
    events = tuple(types_of(service).values())
    event: Any = Union[events]  # noqa: UP007 - a union of what the contracts list
    if len(events) > 1:
        event = Annotated[event, Field(discriminator="type")]
    name = service.capitalize()
    item = create_model(f"{name}FeedItem", __base__=FeedItem, __doc__=FeedItem.__doc__, event=(event, ...))
    return create_model(f"{name}FeedPage", __base__=FeedPage, __doc__=FeedPage.__doc__, items=(list[item], ...))
