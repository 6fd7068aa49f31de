"""The gateway as the loader sees it: requests that may be sent again, and are where the weather asks for it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

CONCURRENCY = 24
"""Requests in flight: enough to keep two cores busy, fewer than the gateway's connections to one service."""

_PATIENCE_SECONDS = 60.0
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0
_PASSING = frozenset({429, 502, 503})
"""Too many requests, a service broke off, not available just now: every request here may be sent again."""

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NEWS_UNDER_WAY = "urn:kampungkb:problem:village-unknown"


class LoadFailure(Exception):
    """The district cannot be loaded; the text says why in one line."""


class Gateway:
    """The gateway under /api/v1 with a caller's key; threads share it."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=f"{self._url}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY),
            trust_env=urlsplit(url).hostname not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **filters: Any) -> Any:
        """The answer to a GET.

        Raises:
            LoadFailure: it was refused, or the gateway does not answer.
        """
        response = self._send("GET", path, params=filters)
        if not response.is_success:
            raise refused(response)
        return response.json()

    def items(self, path: str, **filters: Any) -> Iterator[Any]:
        """All items of a list."""
        page = self.get(path, **filters, limit=200)
        yield from page["items"]
        while page["next_cursor"] is not None:
            page = self.get(path, **filters, limit=200, cursor=page["next_cursor"])
            yield from page["items"]

    def post(self, path: str, body: Any, *, await_news: bool = False) -> httpx.Response:
        """Whatever a POST is answered with, sent with an Idempotency-Key made of its content.

        The same content always has the same key, so a load that was interrupted can simply be run again. With
        `await_news` a village that the service has not heard of yet is asked for again until the news has arrived.
        """
        content = json.dumps(body, sort_keys=True).encode()
        digest = hashlib.sha256(f"{path}\n".encode() + content).hexdigest()
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"demo-{digest[:40]}"}
        return self._send("POST", path, await_news=await_news, content=content, headers=headers)

    def _send(self, method: str, path: str, *, await_news: bool = False, **request: Any) -> httpx.Response:
        until, wait = time.monotonic() + _PATIENCE_SECONDS, _FIRST_WAIT
        while True:
            try:
                response = self._http.request(method, path, **request)
            except httpx.ConnectError as error:
                raise LoadFailure(f"The gateway does not answer at {self._url}.") from error
            except httpx.RequestError as error:
                if time.monotonic() > until:
                    raise LoadFailure(f"The gateway at {self._url} breaks off: {type(error).__name__}.") from error
            else:
                if time.monotonic() > until or not _is_to_come(response, await_news=await_news):
                    return response
                wait = max(wait, _retry_after(response))
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)


def refused(response: httpx.Response) -> LoadFailure:
    """A failure that says what was refused and why."""
    request = response.request
    return LoadFailure(
        f"{request.method} {request.url.path} was answered {response.status_code}: {response.text[:500]}"
    )


def problem_type(response: httpx.Response) -> str | None:
    """The type of the problem a response carries, if it carries one."""
    if "problem+json" not in response.headers.get("Content-Type", ""):
        return None
    return str(response.json().get("type"))


def _is_to_come(response: httpx.Response, *, await_news: bool) -> bool:
    return response.status_code in _PASSING or (await_news and problem_type(response) == _NEWS_UNDER_WAY)


def _retry_after(response: httpx.Response) -> float:
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), _LONGEST_WAIT) if seconds.isdecimal() else 0.0
