"""Which regions a request touched: said where access to a region is decided, kept by the gateway in its audit trail.

Only what the caller named himself, and what he may see: an entry tells nobody of a region what he could not know.
"""

from __future__ import annotations

from contextvars import ContextVar

from contracts.regions import common_region

REGION_HEADER = "x-kkb-region"
"""Header in which a service tells the gateway; it ends there, in both directions (docs/decisions/0033)."""

_touched: ContextVar[set[str | None] | None] = ContextVar("touched", default=None)
"""None outside of requests. A set, because whatever runs in a copy of the request's context adds to the same one."""


def begin() -> None:
    """A request begins; it has touched nothing."""
    _touched.set(set())


def note(region: str | None) -> None:
    """The request touches a region; None is the whole country."""
    touched = _touched.get()
    if touched is not None:
        touched.add(region)


def region() -> str | None:
    """The smallest region that holds all that was touched; None where that is the whole country, or nothing."""
    touched = _touched.get()
    if not touched:
        return None
    # nearly always one: a sixth of the time
    return next(iter(touched)) if len(touched) == 1 else common_region(touched)
