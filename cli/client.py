"""HTTP to the gateway: the key, problems as failures, and a few repetitions where repeating is safe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from cli.failures import Failure, Refused, Unreachable

_ATTEMPTS = 5
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_PASSING = frozenset({429, 502, 503})
"""Too many requests, a service broke off, not available just now."""

_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_MOST_PER_PAGE = 200
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


_NOT_REACHED = (httpx.ConnectError, httpx.ConnectTimeout)


class Gateway:
    """The gateway under /api/v1, with a caller's key."""

    def __init__(self, url: str, key: str) -> None:
        """Nothing is sent yet.

        Raises:
            Failure: the address is none, or the key cannot stand in a header.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Failure(f"Alamat gateway tidak dapat dipakai: {url}. Contoh: http://127.0.0.1:8080")
        if not key.isascii() or not key.isprintable():
            raise Failure("Isi kunci tidak dapat dipakai: kunci hanya berisi huruf, angka, dan tanda ASCII.")
        try:
            self._http = httpx.Client(
                base_url=f"{self.url}/api/v1",
                headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
                timeout=_TIMEOUT,
                trust_env=parts.hostname not in _LOOPBACK,  # an office's proxy cannot reach this machine
            )
        except httpx.InvalidURL as error:
            raise Failure(f"Alamat gateway tidak dapat dipakai: {url} ({error}).") from error
        self._answered = False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **filters: Any) -> Any:
        """The answer to a GET; filters that are None are left out."""
        return self._json(self._send("GET", path, params=_given(filters)))

    def items(self, path: str, limit: int, **filters: Any) -> tuple[list[Any], bool]:
        """The first items of a list over as many pages as that takes, and whether there are more."""
        found = list(islice(self._all(path, min(limit + 1, _MOST_PER_PAGE), filters), limit + 1))
        return found[:limit], len(found) > limit

    def _all(self, path: str, limit: int, filters: dict[str, Any]) -> Iterator[Any]:
        cursor = None
        while True:
            page = self.get(path, **filters, limit=limit, cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def download(self, path: str, **filters: Any) -> bytes:
        """The answer to a GET as it came, whatever its form; filters that are None are left out."""
        return self._send("GET", path, params=_given(filters), headers={"Accept": "*/*"}).content

    def post(self, path: str, body: Any = None, *, if_match: str | None = None) -> Any:
        """The answer to a POST, with an Idempotency-Key of its own, so that it may be sent again.

        Bytes are sent as they are, as JSON that they hold.
        """
        headers = {"Idempotency-Key": str(uuid4()), **_matching(if_match)}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/json"
            return self._json(self._send("POST", path, content=body, headers=headers))
        return self._json(self._send("POST", path, json=body, headers=headers))

    def put(self, path: str, content: bytes, media_type: str, *, if_match: str | None = None) -> Any:
        """The answer to a PUT of bytes as they are."""
        headers = {"Content-Type": media_type, **_matching(if_match)}
        return self._json(self._send("PUT", path, content=content, headers=headers))

    def patch(self, path: str, body: Any, *, if_match: str) -> Any:
        """The answer to a PATCH of what was read with this ETag."""
        return self._json(self._send("PATCH", path, json=body, headers=_matching(if_match)))

    def delete(self, path: str) -> None:
        """Send a DELETE."""
        self._send("DELETE", path)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The first answer that is not a passing trouble.

        Raises:
            Unreachable: the gateway does not answer.
            Refused: it answered with a problem.
        """
        repeatable = method in _REPEATABLE or "Idempotency-Key" in request.get("headers", {})
        for attempt in range(1, _ATTEMPTS + 1):
            last = not repeatable or attempt == _ATTEMPTS
            wait = _FIRST_WAIT * 2 ** (attempt - 1)
            try:
                response = self._http.request(method, path, **request)
            except httpx.RequestError as error:
                # A gateway that was never there: repeating would only delay the message.
                if last or (isinstance(error, _NOT_REACHED) and not self._answered):
                    raise Unreachable(self.url, _reason(error)) from error
            else:
                self._answered = True
                if response.status_code not in _PASSING or last:
                    return _accepted(response)
                wait = _retry_after(response, wait)
            time.sleep(min(wait, _LONGEST_WAIT))
        raise AssertionError("the last attempt returns or raises")

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise Failure(f"Jawaban dari {self.url} bukan jawaban gateway platform ini.") from error


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="")


def _matching(if_match: str | None) -> dict[str, str]:
    return {} if if_match is None else {"If-Match": if_match}


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "tidak menjawab pada waktunya"
    return "tidak ada yang menjawab" if isinstance(error, httpx.ConnectError) else "sambungan terputus"


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else otherwise


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    raise Refused(response.status_code, problem, response.headers.get("X-Request-Id"))
