"""From the services' feeds into the log: what is to be sent to whom, and how far a feed was read, in one transaction.

So a crash loses nothing and logs nothing twice, and whoever leads next goes on where it ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.deliveries import actions, metrics
from gateway.deliveries import store as deliveries
from gateway.deliveries.feeds import NOTHING, FeedAnew, FeedAway, FeedPage, Interest, Item, OwnFeeds
from gateway.deliveries.store import Message
from gateway.webhooks.rules import wants
from gateway.webhooks.schemas import State
from gateway.webhooks.store import feed_of
from gateway.webhooks.tables import Webhook, WebhookCatchUp, WebhookFeed
from kit import clock, failpoints
from kit.changes import cursor
from kit.changes.cursor import Place
from kit.changes.types import short_name, types_of
from kit.database import Database
from kit.tasks import unless

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_IDLE_SECONDS = 1.0
_EVER = datetime.min.replace(tzinfo=UTC)
_MARGIN = timedelta(hours=1)
"""An event's time is that of its change; its place in the feed may come later, by as much as a transaction takes. What is
read twice because of the margin is in the log already."""

_LIVING = col(Webhook.state) != State.ENDED.value
_BEHIND = sa.select(WebhookCatchUp).join(Webhook, col(Webhook.id) == col(WebhookCatchUp.webhook_id)).where(_LIVING)


@dataclass(frozen=True)
class _Subscriber:
    id: UUID
    types: frozenset[str] | None
    region: str | None
    since: datetime
    """When it began: what is read again because a feed was made anew is not for those who came later."""
    place: Place | None = None
    """Where it reads alone, if it does; or where it will join the others, if they are not there yet."""

    def wants(self, item: Item) -> bool:
        """Whether it wants an event that is read for all."""
        later = item.time >= self.since and (self.place is None or item.position > self.place.position)
        kind, region = item.message.type, item.message.region_code
        return later and region is not None and wants(self.types, self.region, kind, short_name(kind), region)


class Follower:
    """Reads feeds, for all webhooks together and for those that began at a cursor."""

    def __init__(self, database: Database, feeds: OwnFeeds, wake: Callable[[], None]) -> None:
        self._database = database
        self._feeds = feeds
        self._wake = wake
        self._told: set[str] = set()
        """Feeds of which the log says that they are away."""
        self._changed = {service: asyncio.Event() for service in feeds.services}

    def look_anew(self) -> None:
        """Somebody may want something else than what is waited for now."""
        for changed in self._changed.values():
            changed.set()

    async def follow(self, service: str) -> None:
        """Follow one service's feed until cancelled.

        Raises:
            Exception: the database is away.
        """
        while True:
            try:
                await self.step(service)
            except FeedAway as away:
                if service not in self._told:
                    log.warning("webhooks wait for the feed of %s: %s", service, away)
                self._told.add(service)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._told.discard(service)
                metrics.FEED_READ.labels(service).set_to_current_time()

    async def step(self, service: str) -> None:
        """Read one page and log what is wanted of it; the first time, find the feed's end.

        Raises:
            FeedAway: see there.
        """
        self._changed[service].clear()
        async with self._database.transaction() as session:
            feed = await feed_of(session, service)
            interest = _interest(service, await _subscribers(session, service))
        if feed is None:
            await self._begin(service)
            return
        try:
            page = await unless(self._changed[service], self._feeds.read(service, feed.since, interest, wait=True))
        except FeedAnew:
            await self._begin_anew(service, feed)
            return
        if page is not None:
            await self._log(service, feed, interest, page)

    async def catch_up(self) -> None:
        """Read for webhooks that began at a cursor until they are where the others are; until cancelled.

        Raises:
            Exception: the database is away.
        """
        while True:
            async with self._database.transaction() as session:
                behind = (await session.scalars(_BEHIND)).all()
            busy = False
            for one in behind:
                try:
                    busy |= await self._catch_up(one)
                except FeedAway:
                    await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(0 if busy else _IDLE_SECONDS)

    async def _begin(self, service: str) -> None:
        """Nobody has followed this feed before: begin at its end."""
        end = (await self._feeds.read(service, None, NOTHING)).next_since
        row = {
            "service": service,
            "since": end,
            "position": _place(service, end).position,
            "newest_at": clock.now(),
        }
        async with self._database.transaction() as session:
            await session.execute(sa.insert(WebhookFeed).values(row))

    async def _begin_anew(self, service: str, feed: WebhookFeed) -> None:
        """Read it from its beginning, because nobody knows which part of it is new; and tell those who follow."""
        log.warning("the feed of %s was made anew: it is read from its beginning", service)
        async with self._database.transaction() as session:
            locked = await feed_of(session, service, lock=True)
            if locked is None or locked.since != feed.since:
                return
            locked.since, locked.position, locked.anew_after = None, 0, locked.newest_at - _MARGIN
            session.add(locked)
            told = actions.notice(actions.FEED_RESET, {"service": service})
            kinds = {*types_of(service), *(short_name(kind) for kind in types_of(service))}
            wanted = [
                (one.id, told.id)
                for one in await _subscribers(session, service)
                if one.types is None or one.types & kinds
            ]
            await deliveries.log(session, "gateway", [told], wanted, clock.now())
        self._wake()

    async def _log(self, service: str, feed: WebhookFeed, interest: Interest, page: FeedPage) -> None:
        async with self._database.transaction() as session:
            locked = await feed_of(session, service, lock=True)
            if locked is None or locked.since != feed.since:
                return  # another leader was faster; what it read is logged
            after = locked.anew_after
            new = [item for item in page.items if after is None or item.time > after]
            subscribers = await _subscribers(session, service)
            if _interest(service, subscribers) != interest:
                return  # somebody else wants something else: it may lie on the way to the page's end
            if after is None:
                subscribers = [replace(one, since=_EVER) for one in subscribers]
            end = _place(service, page.next_since)
            takers = list(_joined(subscribers, Place(end.feed, locked.position)))
            if await _log_wanted(session, service, new, takers):
                session.info[failpoints.MATTERS] = True
            locked.since, locked.position = page.next_since, end.position
            locked.newest_at = max([locked.newest_at, *(item.time for item in page.items)])
            locked.anew_after = after if page.more else None
            session.add(locked)
        metrics.FEED_POSITION.labels(service).set(locked.position)
        if page.items:
            self._wake()

    async def _catch_up(self, behind: WebhookCatchUp) -> bool:
        """Read one page for a webhook alone; whether there was anything to do: not while the others have yet to come there."""
        async with self._database.transaction() as session:
            webhook = await session.get(Webhook, behind.webhook_id)
            others = await feed_of(session, behind.service)
        if webhook is None or others is None or _place(behind.service, behind.since).position > others.position:
            return False
        try:
            own = _Subscriber(webhook.id, _kinds(webhook.types), webhook.region, _EVER)
            page = await self._feeds.read(behind.service, behind.since, _interest(behind.service, [own]))
        except FeedAnew:  # what is new in it is read for all, and the webhook is told
            await self._caught_up(behind)
            return True
        async with self._database.transaction() as session:
            feed = await feed_of(session, behind.service, lock=True)
            if feed is None or feed.since is None:
                raise FeedAway("nobody knows yet where the others are")
            end = _place(behind.service, page.next_since)
            if end.feed != _place(behind.service, feed.since).feed:
                raise FeedAway("it is being made anew")
            items = [item for item in page.items if item.position <= feed.position]
            await _log_wanted(session, behind.service, items, [own])
            arrived = end.position >= feed.position
            await _move(session, behind, None if arrived else page.next_since)
        if arrived:
            self._changed[behind.service].set()
        self._wake()
        return True

    async def _caught_up(self, behind: WebhookCatchUp) -> None:
        async with self._database.transaction() as session:
            await _move(session, behind, None)
        self._changed[behind.service].set()


async def _move(session: AsyncSession, behind: WebhookCatchUp, since: str | None) -> None:
    own = sa.and_(col(WebhookCatchUp.webhook_id) == behind.webhook_id, col(WebhookCatchUp.service) == behind.service)
    if since is None:
        await session.execute(sa.delete(WebhookCatchUp).where(own))
    else:
        await session.execute(sa.update(WebhookCatchUp).where(own).values(since=since))


async def _log_wanted(
    session: AsyncSession, service: str, items: Sequence[Item], subscribers: Sequence[_Subscriber]
) -> bool:
    """Log the events that somebody wants; whether there was one."""
    wanted: list[tuple[UUID, UUID]] = []
    messages: list[Message] = []
    for item in items:
        message = item.message
        takers = [one.id for one in subscribers if one.wants(item)]
        wanted += [(taker, message.id) for taker in takers]
        messages += [message] if takers else []
    return bool(await deliveries.log(session, service, messages, wanted, clock.now()))


async def _subscribers(session: AsyncSession, service: str) -> list[_Subscriber]:
    """Who is sent events, now or when he resumes."""
    own = sa.and_(col(WebhookCatchUp.webhook_id) == col(Webhook.id), col(WebhookCatchUp.service) == service)
    query = (
        sa.select(
            col(Webhook.id), col(Webhook.types), col(Webhook.region), col(Webhook.created_at), col(WebhookCatchUp.since)
        )
        .outerjoin(WebhookCatchUp, own)
        .where(_LIVING)
        .order_by(col(Webhook.id))
    )
    return [
        _Subscriber(row.id, _kinds(row.types), row.region, row.created_at, cursor.read(service, row.since))
        for row in await session.execute(query)
    ]


def _joined(subscribers: Iterable[_Subscriber], begin: Place) -> Iterator[_Subscriber]:
    """Those to whom what comes after a place of the feed is sent: not who has yet to come there by himself."""
    for one in subscribers:
        own = one.place if one.place is not None and one.place.feed == begin.feed else None
        if own is None or own.position >= begin.position:
            yield replace(one, place=own)


def _interest(service: str, subscribers: Sequence[_Subscriber]) -> Interest:
    return Interest.of(service, ((one.types, one.region) for one in subscribers))


def _kinds(types: Sequence[str] | None) -> frozenset[str] | None:
    return None if types is None else frozenset(types)


def _place(service: str, since: str) -> Place:
    place = cursor.read(service, since)
    assert place is not None
    return place
