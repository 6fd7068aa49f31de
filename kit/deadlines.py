"""How long somebody waits for the answer to the request at hand: told by the gateway, kept by everybody who waits."""

from __future__ import annotations

import time
from contextvars import ContextVar

REMAINING_HEADER = "x-kkb-remaining-ms"
"""Milliseconds from the moment the request was sent; a time left and no time of day, since clocks differ."""

OVER = "the time for this request was over before it was begun; nothing was carried out"

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""Monotonic time, seconds; None where nobody said."""


def begin(remaining_ms: str | None) -> None:
    """Take over what a request's header says; anything but a plain number of milliseconds is no deadline."""
    known = remaining_ms is not None and remaining_ms.isascii() and remaining_ms.isdigit() and len(remaining_ms) < 10  # noqa: PLR2004 - eleven days
    _deadline.set(time.monotonic() + int(remaining_ms) / 1000 if known and remaining_ms is not None else None)


def begin_with(seconds: float) -> None:
    """So long from now on somebody waits; whatever was said before is forgotten."""
    _deadline.set(time.monotonic() + seconds)


def narrow(seconds: float) -> None:
    """From now on at most so long; what is nearer already stays."""
    _deadline.set(time.monotonic() + within(seconds))


def remaining() -> float | None:
    """Seconds that somebody still waits, for those who have no limit of their own; None where nobody said."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def within(seconds: float) -> float:
    """A limit, or what remains of the request's time where that is less; 0 when it is over."""
    left = remaining()
    return seconds if left is None else min(seconds, left)


def is_over() -> bool:
    """Whether nobody waits for the answer any more."""
    return within(1.0) <= 0
