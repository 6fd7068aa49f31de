"""Reads the feed out of the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from contracts.regions import is_within
from kit import deadlines
from kit.changes.cursor import Place
from kit.database import PLANNED_FOR_ITS_VALUES, Database
from kit.problems import FeedReset, Unavailable


@dataclass(frozen=True)
class Wanted:
    """Which events a client wants; None is all of them."""

    region: str | None = None
    types: frozenset[str] | None = None

    def includes(self, region_code: str, kind: str) -> bool:
        """Whether an event of this village and type is wanted."""
        return is_within(region_code, self.region) and (self.types is None or kind in self.types)


@dataclass(frozen=True)
class Stretch:
    """A part of the feed: the wanted events up to `end`."""

    rows: Sequence[Any]
    """position, type, entity, body."""
    end: Place
    more: bool


# One statement is one snapshot: what lies below the head it sees is complete for ever.
_READ = """
SELECT p.feed_id, p.position AS head, o.position, o.type, o.entity, o.body
FROM publication p LEFT JOIN LATERAL (
    SELECT position, type, entity, body FROM outbox
    WHERE position > :since AND position <= p.position {wanted} ORDER BY position LIMIT :limit
) o ON true WHERE p.only_row
"""
_IN_REGION = "AND region_code >= cast(:region AS text) AND region_code < cast(:region AS text) || '/' "
"""The subtree of a code as one range of the index: a dot sorts just below a slash."""
_OF_TYPE = "AND type = ANY(cast(:types AS text[])) "
_STATEMENTS = {
    (region, types): sa.text(_READ.format(wanted=(_IN_REGION if region else "") + (_OF_TYPE if types else "")))
    for region in (False, True)
    for types in (False, True)
}


async def read(database: Database, since: Place | None, wanted: Wanted, limit: int) -> Stretch:
    """The next events after a place, at most `limit`, in the order of commits.

    Raises:
        FeedReset: the place lies in another feed, or beyond this one's end.
        Unavailable: nothing was ever placed here, and nobody knows the feed's id yet.
        TimeoutError: the database does not answer.
    """
    parameters: dict[str, Any] = {"since": since.position if since else 0, "limit": limit + 1}
    if wanted.region is not None:
        parameters["region"] = wanted.region
    if wanted.types is not None:
        parameters["types"] = sorted(wanted.types)
    statement = _STATEMENTS[wanted.region is not None, wanted.types is not None]
    async with asyncio.timeout(deadlines.within(database.request_seconds)), database.engine.connect() as connection:
        if wanted.region is not None:
            await connection.execute(PLANNED_FOR_ITS_VALUES)
        rows = (await connection.execute(statement, parameters)).all()
    return _stretch(rows, since, limit)


def _stretch(rows: Sequence[Any], since: Place | None, limit: int) -> Stretch:
    if not rows:
        raise Unavailable("the feed has not begun yet")
    head = Place(rows[0].feed_id, rows[0].head)
    if since is not None and (since.feed != head.feed or since.position > head.position):
        raise FeedReset(
            "the database behind this feed was replaced or set back, so your cursor means nothing any more: "
            "start again without `since`; what you get then is the whole present state"
        )
    found = [row for row in rows if row.position is not None]
    if len(found) <= limit:
        return Stretch(found, head, more=False)
    return Stretch(found[:limit], Place(head.feed, found[limit - 1].position), more=True)
