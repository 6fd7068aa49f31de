"""The change feed as an operation of every service that tells events."""

# No `from __future__ import annotations` here: the filters are a service's own, and FastAPI reads them where they stand.

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from contracts.events import BY_TYPE
from kit import deadlines, metrics
from kit.access import Caller, Scope, requires
from kit.changes import TAG, cursor
from kit.changes.schemas import ANSWER_SECONDS, LONGEST_SECONDS, ChangeFilters, filters_of, page_of
from kit.changes.store import Stretch, Wanted, read
from kit.changes.types import types_by_name
from kit.changes.watch import Watch
from kit.problems import FeedReset, RegionForbidden, problems

ChangeReader = Annotated[Caller, requires(Scope.CHANGES_READ)]


def changes_router(service: str) -> APIRouter:
    """The feed of a service, at /changes/<service>."""
    router = APIRouter(prefix="/changes", tags=[TAG])
    filter_model = filters_of(service)
    names = types_by_name(service)

    @router.get(
        f"/{service}",
        name=f"list_{service}_changes",
        response_model=page_of(service),
        responses=problems(RegionForbidden, FeedReset),
        openapi_extra={"x-waits": True},
    )
    async def list_changes(
        request: Request,
        reader: ChangeReader,
        filters: Annotated[filter_model, Query()],  # type: ignore[valid-type]  # made for the service
    ) -> Response:
        """Follow what changes here, in the order of commits, each event at least once.

        Without `since` you get the whole present state: of each thing at least its newest event. With a `type` you get
        only those events: a village that was registered and then changed may be told of by `village-changed` alone.
        410 says that the feed has begun anew: start again without `since`.
        """
        asked: ChangeFilters = filters
        kinds: Sequence[str] = getattr(asked, "type")  # noqa: B009 - the field is the service's own model's
        types = frozenset[str]().union(*(names[name] for name in kinds)) if kinds else None
        wanted = Wanted(reader.narrow(asked.region), types)
        async with asyncio.timeout(deadlines.within(LONGEST_SECONDS)):
            stretch = await _next(request, service, asked, wanted)
        metrics.CHANGES_ITEMS.labels(service).inc(len(stretch.rows))
        return Response(_page(service, stretch), media_type="application/json")

    return router


async def _next(request: Request, service: str, asked: ChangeFilters, wanted: Wanted) -> Stretch:
    """The next stretch; where it is empty, the one that comes within the time the client waits."""
    watch: Watch = request.app.state.changes
    since = cursor.read(service, asked.since)
    until = asyncio.get_running_loop().time() + min(asked.wait, deadlines.within(LONGEST_SECONDS) - ANSWER_SECONDS)
    with watch.waiter(wanted) as waiter:
        while True:
            waiter.come.clear()
            stretch = await read(request.app.state.database, since, wanted, asked.limit)
            left = until - asyncio.get_running_loop().time()
            if stretch.rows or not await waiter.wait(left, request):
                return stretch
            since = stretch.end


def _page(service: str, stretch: Stretch) -> bytes:
    """The answer's body; events go out as the bytes they were written in, nothing is parsed."""
    items = b",".join(map(_item, stretch.rows))
    end = orjson.dumps({"next_since": cursor.write(service, stretch.end), "more": stretch.more})
    return b'{"items":[%b],%b' % (items, end[1:])


def _item(row: Any) -> bytes:
    event = BY_TYPE.get(row.type)
    head = {
        "position": row.position,
        "entity": row.entity,
        "tombstone": event is not None and event.tombstone,
    }
    return b'%b,"event":%b}' % (orjson.dumps(head)[:-1], row.body)
