"""Token buckets, one number each: the time at which the bucket is full again (the generic cell rate algorithm)."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

QUOTA = r"[1-9][0-9]{0,8}/[1-9][0-9]{0,5}"
"""How a quota is written: requests/seconds."""

_SWEEP_SECONDS = 1.0
_OVERFLOW = object()
"""The bucket shared by all newcomers while there is no room for one each."""


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests at once, and so many again within the window."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Quota:
        """A quota from `requests/seconds`.

        Raises:
            ValueError: it is written otherwise.
        """
        if not re.fullmatch(QUOTA, text):
            raise ValueError(f"a quota is requests/seconds, such as 600/60, not {text}")
        requests, seconds = text.split("/")
        return cls(int(requests), int(seconds))


class Taken(NamedTuple):
    """What became of a request's token."""

    allowed: bool
    remaining: int
    """Requests that could follow at once."""
    seconds: float
    """Allowed: until the bucket is full again. Refused: until a token is there."""


class Buckets:
    """One bucket for every client of a quota. A full one is forgotten: it is as one never seen."""

    def __init__(self, quota: Quota, most: int) -> None:
        self.quota = quota
        self._each = quota.seconds / quota.requests
        self._window = float(quota.seconds)
        self._most = most
        self._full_at: dict[Hashable, float] = {}
        self._swept_at = -math.inf

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, client: Hashable, now: float) -> Taken:
        """Take a token, if there is one. `now` is a monotonic time in seconds."""
        full_at = self._full_at.get(client)
        if full_at is None:
            if len(self._full_at) >= self._most:
                client = self._newcomer(client, now)
            full_at = self._full_at.get(client, now)
        debt = max(full_at - now, 0.0) + self._each
        if debt > self._window:
            return Taken(allowed=False, remaining=0, seconds=debt - self._window)
        self._full_at[client] = now + debt
        return Taken(allowed=True, remaining=int((self._window - debt) / self._each + 1e-9), seconds=debt)

    def is_empty(self, client: Hashable, now: float) -> float:
        """Seconds until a token is there; 0 when there is one."""
        debt = self._full_at.get(client, now) - now + self._each
        return max(debt - self._window, 0.0)

    def _newcomer(self, client: Hashable, now: float) -> Hashable:
        """Room for one more; where all others are in use, he shares a bucket with all who come now."""
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            self._full_at = {one: full_at for one, full_at in self._full_at.items() if full_at > now}
        return client if len(self._full_at) < self._most else _OVERFLOW
