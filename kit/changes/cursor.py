"""Where a client stands in a feed: an opaque text that says which feed, and up to which position it was read."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kit.paging import decode_cursor, encode_cursor
from kit.problems import Invalid

_NEWEST_POSSIBLE = 2**63 - 1


@dataclass(frozen=True)
class Place:
    """Everything up to `position` of the feed was read."""

    feed: UUID
    position: int


def write(service: str, place: Place) -> str:
    """The cursor of a place in a service's feed."""
    return encode_cursor(service, place.feed, place.position)


def read(service: str, since: str | None) -> Place | None:
    """The place that a client's cursor stands for; None is the beginning.

    Raises:
        Invalid: it is no cursor of a feed, or of another service's feed.
    """
    parts = decode_cursor(since, str, UUID, int, pointer="query:since")
    if parts is None:
        return None
    owner, feed, position = parts
    if owner != service:
        raise _refused(f"this is a cursor of the feed of {owner}, not of {service}")
    if not 0 <= position <= _NEWEST_POSSIBLE:
        raise _refused("not a cursor of this feed")
    return Place(feed, position)


def _refused(detail: str) -> Invalid:
    return Invalid(detail, errors=[{"pointer": "query:since", "detail": detail}])
