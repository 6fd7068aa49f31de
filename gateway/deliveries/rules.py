"""When a delivery is tried again, when it steps aside, and when it is given up."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

IN_ORDER_TRIES = 4
"""So many failed attempts hold back what comes after it (about three minutes); then a delivery steps aside, so that one
event which a receiver cannot take does not keep all later ones from it."""
GIVE_UP_AFTER = timedelta(days=3)
"""Longer than a weekend."""
KEPT_FOR = timedelta(days=30)
LONGEST_EXCERPT = 200
LONGEST_RETRY_AFTER = timedelta(hours=1)

_WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400))
_LONGEST_PROBE = timedelta(minutes=15)
_JITTER = 0.2
_UNSEEN = re.compile(r"[^ -~\u00a1-\u024f]+")
_SECRET = re.compile(r"(?i)(whsec_|kkb_|bearer\s+|v1,)[\w+/=.-]+")


def wait_after(tries: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """How long a delivery rests after so many failed attempts: 5 s, 30 s, 2, 10, 30 min, 1, 2, then every 4 hours.

    `chance` from 0 to 1 lengthens it by up to a fifth, so that receivers that came back are not met by everybody at
    once. What the receiver asked for (Retry-After) is kept up to an hour.
    """
    wait = _WAITS[min(tries, len(_WAITS)) - 1]
    return max(wait * (1 + _JITTER * chance), min(asked or timedelta(), LONGEST_RETRY_AFTER))


def probe_after(failures: int, chance: float, asked: timedelta | None = None) -> timedelta:
    """How long a receiver rests after so many failures in a row: as above, but 15 minutes at most.

    So one that is well again is soon found.
    """
    wait = min(_WAITS[min(failures, len(_WAITS)) - 1], _LONGEST_PROBE)
    return max(wait * (1 + _JITTER * chance), min(asked or timedelta(), LONGEST_RETRY_AFTER))


def is_over(first_tried_at: datetime, now: datetime) -> bool:
    """Whether a delivery was tried for long enough."""
    return now - first_tried_at >= GIVE_UP_AFTER


def excerpt(body: bytes) -> str | None:
    """The beginning of a receiver's answer, for its owner to recognise the error; None where there is none.

    One line, no control characters, and nothing that looks like a key or a signature.
    """
    text = _UNSEEN.sub(" ", body.decode("utf-8", errors="replace"))
    return _SECRET.sub("***", " ".join(text.split()))[:LONGEST_EXCERPT] or None
