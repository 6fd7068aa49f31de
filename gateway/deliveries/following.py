"""From the services' feeds into the log: what is to be sent to whom, and how far a feed was read, in one transaction.

So a crash loses nothing and logs nothing twice, and whoever leads next goes on where it ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.deliveries import actions, metrics
from gateway.deliveries import store as deliveries
from gateway.deliveries.feeds import NOWHERE, FeedAnew, FeedAway, FeedPage, Item, OwnFeeds
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

log = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_IDLE_SECONDS = 1.0
_EVER = datetime.min.replace(tzinfo=UTC)
_MARGIN = timedelta(hours=1)
"""An event's time is that of its change; its place in the feed may come later, by as much as a transaction takes. What is
read twice because of the margin is in the log already."""


@dataclass(frozen=True)
class _Subscriber:
    id: UUID
    types: frozenset[str] | None
    region: str | None
    since: datetime
    """When it began: what is read again because a feed was made anew is not for those who came later."""


class Follower:
    """Reads feeds, for all webhooks together and for those that began at a cursor."""

    def __init__(self, database: Database, feeds: OwnFeeds, wake: Callable[[], None]) -> None:
        self._database = database
        self._feeds = feeds
        self._wake = wake
        self._told: set[str] = set()
        """Feeds of which the log says that they are away."""

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

    async def step(self, service: str, *, wait: bool = True) -> None:
        """Read one page and log what is wanted of it; the first time, find the feed's end.

        Raises:
            FeedAway: see there.
        """
        async with self._database.transaction() as session:
            feed = await feed_of(session, service)
        if feed is None:
            await self._begin(service)
            return
        try:
            page = await self._feeds.read(service, feed.since, wait=wait)
        except FeedAnew:
            await self._begin_anew(service, feed)
            return
        await self._log(service, feed, page)

    async def catch_up(self) -> None:
        """Read for webhooks that began at a cursor until they are where the others are; until cancelled.

        Raises:
            Exception: the database is away.
        """
        while True:
            async with self._database.transaction() as session:
                behind = (await session.scalars(sa.select(WebhookCatchUp))).all()
            for one in behind:
                try:
                    await self._catch_up(one)
                except FeedAway:
                    await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(0 if behind else _IDLE_SECONDS)

    async def _begin(self, service: str) -> None:
        """Nobody has followed this feed before: begin at its end."""
        end = (await self._feeds.read(service, None, region=NOWHERE)).next_since
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
                (one.id, told.id) for one in await _subscribers(session) if one.types is None or one.types & kinds
            ]
            await deliveries.log(session, "gateway", [told], wanted, clock.now())
        self._wake()

    async def _log(self, service: str, feed: WebhookFeed, page: FeedPage) -> None:
        async with self._database.transaction() as session:
            locked = await feed_of(session, service, lock=True)
            if locked is None or locked.since != feed.since:
                return  # another leader was faster; what it read is logged
            after = locked.anew_after
            new = [item for item in page.items if after is None or item.time > after]
            subscribers = await _subscribers(session, service)
            if after is None:
                subscribers = [replace(one, since=_EVER) for one in subscribers]
            if await _log_wanted(session, service, new, subscribers):
                session.info[failpoints.MATTERS] = True
            locked.since = page.next_since
            locked.position = _place(service, page.next_since).position
            locked.newest_at = max([locked.newest_at, *(item.time for item in page.items)])
            locked.anew_after = after if page.more else None
            session.add(locked)
        metrics.FEED_POSITION.labels(service).set(locked.position)
        if page.items:
            self._wake()

    async def _catch_up(self, behind: WebhookCatchUp) -> None:
        async with self._database.transaction() as session:
            webhook = await session.get(Webhook, behind.webhook_id)
        if webhook is None:
            return
        try:
            page = await self._feeds.read(behind.service, behind.since, region=webhook.region)
        except FeedAnew:  # what is new in it is read for all, and the webhook is told
            await self._caught_up(behind)
            return
        async with self._database.transaction() as session:
            feed = await feed_of(session, behind.service, lock=True)
            if feed is None or feed.since is None:
                raise FeedAway("nobody knows yet where the others are")
            end = _place(behind.service, page.next_since)
            if end.feed != _place(behind.service, feed.since).feed:
                raise FeedAway("it is being made anew")
            own = _Subscriber(webhook.id, _kinds(webhook.types), webhook.region, _EVER)
            items = [item for item in page.items if item.position <= feed.position]
            await _log_wanted(session, behind.service, items, [own])
            await _move(session, behind, None if end.position >= feed.position else page.next_since)
        self._wake()

    async def _caught_up(self, behind: WebhookCatchUp) -> None:
        async with self._database.transaction() as session:
            await _move(session, behind, None)


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
        takers = [one.id for one in subscribers if item.time >= one.since and _wants(one, message)]
        wanted += [(taker, message.id) for taker in takers]
        messages += [message] if takers else []
    return bool(await deliveries.log(session, service, messages, wanted, clock.now()))


def _wants(one: _Subscriber, message: Message) -> bool:
    return message.region_code is not None and wants(
        one.types, one.region, message.type, short_name(message.type), message.region_code
    )


async def _subscribers(session: AsyncSession, service: str | None = None) -> list[_Subscriber]:
    """Who is sent events, now or when he resumes; without those who still read this service's feed alone."""
    query = sa.select(col(Webhook.id), col(Webhook.types), col(Webhook.region), col(Webhook.created_at)).where(
        col(Webhook.state) != State.ENDED.value
    )
    if service is not None:
        alone = sa.and_(col(WebhookCatchUp.webhook_id) == col(Webhook.id), col(WebhookCatchUp.service) == service)
        query = query.where(~sa.exists().where(alone))
    rows = (await session.execute(query.order_by(col(Webhook.id)))).all()
    return [_Subscriber(row.id, _kinds(row.types), row.region, row.created_at) for row in rows]


def _kinds(types: Sequence[str] | None) -> frozenset[str] | None:
    return None if types is None else frozenset(types)


def _place(service: str, since: str) -> Place:
    place = cursor.read(service, since)
    assert place is not None
    return place
