"""Clients that follow the change feeds, and what the platform says of itself when all is quiet: feeds and checksums."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.callers import caller
from tests.faults.history.evidence import Evidence, Row
from tests.faults.platform import SERVICES

REGION, PART = "33.26", "33.26.02"
"""Where all villages of a run lie, and a district of it."""
_LIVE_PAGE, _PAGE = 17, 150
_AGAIN_SECONDS = 0.3
_PATIENCE_SECONDS = 6.0
_ASKED = 20


@dataclass
class Follower:
    """Follows one service's feed by its cursor, on whichever process answers, and keeps all that it was told."""

    service: str
    urls: Sequence[str]
    http: httpx.AsyncClient
    items: list[Row] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _since: str | None = None
    _asked: int = 0

    async def run(self, ending: asyncio.Event) -> None:
        """Follow until told to end."""
        while not ending.is_set():
            if await self.ask(wait=1.5) is None:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def ask(self, wait: float = 0.0) -> bool | None:
        """Take the next page; whether there was anything on it, None if there was no answer."""
        self._asked += 1
        asked = {"limit": _LIVE_PAGE, "wait": wait} | ({"since": self._since} if self._since else {})
        url = f"{self.urls[self._asked % len(self.urls)]}/changes/{self.service}"
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self.http.get(url, params=asked, headers=caller("reader", name="follower"))
        except (httpx.HTTPError, TimeoutError):
            return None
        if answer.status_code != httpx.codes.OK:
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                self.refusals.append(f"{answer.status_code}: {answer.text[:300]}")
            return None
        page = answer.json()
        self.items += page["items"]
        self._since = page["next_since"]
        return bool(page["items"])

    async def catch_up(self) -> None:
        """Take what is left, when all is quiet."""
        for _ in range(_ASKED):
            while more := await self.ask():
                pass
            if more is False:
                return
            await asyncio.sleep(_AGAIN_SECONDS)


async def ask_platform(evidence: Evidence, urls: Mapping[str, Sequence[str]], http: httpx.AsyncClient) -> None:
    """Add each feed from its beginning, a district's feed and the checksums to the evidence."""
    for service in SERVICES:
        url = urls[service][0]
        evidence.feeds[service] = await _whole_feed(http, f"{url}/changes/{service}")
        evidence.district_feeds[service] = await _whole_feed(http, f"{url}/changes/{service}", region=PART)
        evidence.checksums[service] = await _get(http, f"{url}/checksums/{service}", region=REGION)


async def _whole_feed(http: httpx.AsyncClient, url: str, **filters: str) -> list[Row]:
    items: list[Row] = []
    page = await _get(http, url, limit=_PAGE, **filters)
    while True:
        items += page["items"]
        if not page["more"]:
            return items
        page = await _get(http, url, limit=_PAGE, since=page["next_since"], **filters)


async def _get(http: httpx.AsyncClient, url: str, **asked: Any) -> Any:
    """An answer; just after a fault the first to use a pooled connection can find it dead."""
    for _ in range(_ASKED):
        answer = await http.get(url, params=asked, headers=caller("reader"))
        if answer.status_code == httpx.codes.OK:
            return answer.json()
        await asyncio.sleep(_AGAIN_SECONDS)
    raise AssertionError(f"{url}: {answer.status_code} {answer.text}")
