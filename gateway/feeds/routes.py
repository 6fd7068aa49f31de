"""Endpoints of the feeds room."""

from __future__ import annotations

from inspect import cleandoc
from typing import Annotated

from fastapi import APIRouter

from gateway.feeds.schemas import Feed, FeedEvent, Feeds
from kit import API
from kit.access import Caller, Scope, requires
from kit.changes import TAG
from kit.changes.types import services, short_name, types_of

router = APIRouter(tags=[TAG])

FeedReader = Annotated[Caller, requires(Scope.CHANGES_READ)]


@router.get("/changes")
async def list_feeds(_reader: FeedReader) -> Feeds:
    """List the feeds of changes: one a service, because each owns its facts."""
    return Feeds(items=[_feed(service) for service in services()])


def _feed(service: str) -> Feed:
    events = [
        FeedEvent(name=short_name(kind), type=kind, tombstone=event.tombstone, about=cleandoc(event.__doc__ or ""))
        for kind, event in types_of(service).items()
    ]
    return Feed(
        service=service, changes=f"{API}/changes/{service}", checksums=f"{API}/checksums/{service}", events=events
    )
