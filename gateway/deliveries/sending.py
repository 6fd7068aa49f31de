"""One message over HTTP to somebody else's server: only to addresses that may be, and never for long.

The name is resolved once, the addresses are checked, and the connection is made to one of those that were checked; the
name is used for TLS and Host only. So a name that is resolved anew (DNS rebinding) leads nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo

import httpx
from pydantic import BaseModel, ConfigDict, Field

from gateway.deliveries import rules
from gateway.deliveries.schemas import Outcome
from gateway.webhooks.rules import Address, Destinations, Target, Unsuitable, refusal, target_of
from kit import clock

log = logging.getLogger(__name__)

_USER_AGENT = "Kampung-KB-Webhooks/1"
_SUCCESS, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR, _GONE = 200, 300, 400, 500, 410
_MOST_ADDRESSES = 3
_IDLE_SECONDS = 10.0

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Addresses of a name; OSError where it has none."""


class SendingLimits(BaseModel):
    """What one attempt may cost. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_seconds: float = Field(5.0, gt=0)
    total_seconds: float = Field(15.0, gt=0, description="From the name's resolution to the answer's end")
    answer_bytes: int = Field(64 * 1024, ge=0, description="Most bytes of an answer's body that are read")


@dataclass(frozen=True)
class Sent:
    """What became of an attempt."""

    outcome: Outcome
    status: int | None = None
    reason: str | None = None
    excerpt: str | None = None
    retry_after: timedelta | None = None
    at: datetime = field(default_factory=clock.now)
    seconds: float = 0.0


class _Failed(Exception):
    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


class Resolver:
    """The system's resolver, in threads of its own: a name server that hangs holds up no database connection."""

    def __init__(self, at_once: int = 8) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="webhook-names")

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """All addresses of a name, in the system's order."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, lambda: getaddrinfo(host, port, type=SOCK_STREAM))
        return list(dict.fromkeys(ipaddress.ip_address(str(place[0])) for *_, place in found))

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Certificates are checked against the public authorities and, where there is one, an office's own."""
    context = httpx.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    return context


class Sender:
    """Sends messages of one webhook, on one connection that is kept while there are more.

    Not shared between webhooks: connections are kept by address, and one address can be the server of several names.
    """

    def __init__(
        self, destinations: Destinations, limits: SendingLimits, context: ssl.SSLContext, resolve: Resolve
    ) -> None:
        self._destinations = destinations
        self._limits = limits
        self._resolve = resolve
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_IDLE_SECONDS)
        self._transport = httpx.AsyncHTTPTransport(verify=context, limits=one, trust_env=False)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """Send one message; whatever goes wrong is an outcome."""
        at, loop = clock.now(), asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                answer = await self._exchange(target_of(url, self._destinations), headers, body)
        except TimeoutError:
            answer = Sent(Outcome.TIMEOUT, reason=f"no whole answer within {self._limits.total_seconds:g} s")
        except Unsuitable as why:
            answer = Sent(Outcome.BLOCKED, reason=str(why))
        except _Failed as failed:
            answer = Sent(failed.outcome, reason=failed.reason)
        except Exception as error:  # whatever a receiver makes of our client: it must count as an attempt
            log.exception("a message broke off in a way that nobody foresaw")
            answer = Sent(Outcome.BROKEN, reason=f"it broke off ({type(error).__name__})")
        return replace(answer, at=at, seconds=loop.time() - began)

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    async def _exchange(self, target: Target, headers: Mapping[str, str], body: bytes) -> Sent:
        addresses = await self._addresses(target)
        for address in addresses[:-1]:
            try:
                return await self._ask(target, address, headers, body)
            except _Failed as failed:
                if failed.outcome is not Outcome.UNREACHABLE:
                    raise
        return await self._ask(target, addresses[-1], headers, body)

    async def _addresses(self, target: Target) -> Sequence[Address]:
        try:
            found = await self._resolve(target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise _Failed(Outcome.UNRESOLVED, "the name has no address") from error
        if not found:
            raise _Failed(Outcome.UNRESOLVED, "the name has no address")
        for address in found:
            # one that is not allowed among others is reason enough: which of them is taken must not be luck
            if (why := refusal(address, self._destinations.networks)) is not None:
                raise _Failed(Outcome.BLOCKED, why)
        return found[:_MOST_ADDRESSES]

    async def _ask(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> Sent:
        request = self._request(target, address, headers, body)
        try:
            response = await self._transport.handle_async_request(request)
            try:
                content = await self._read(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _not_connected(error) from error
        except httpx.TimeoutException as error:
            raise _Failed(Outcome.TIMEOUT, "the receiver was silent for too long") from error
        except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
            raise _Failed(Outcome.BROKEN, f"the answer broke off or was no HTTP ({type(error).__name__})") from error
        return _judged(response, content)

    def _request(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        literal = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IP's own number
        timeouts = httpx.Timeout(self._limits.total_seconds, connect=self._limits.connect_seconds)
        return httpx.Request(
            "POST",
            f"{target.scheme}://{literal}:{target.port}{target.path}",
            headers={
                "Host": target.authority,
                "User-Agent": _USER_AGENT,
                "Accept-Encoding": "identity",
                **headers,
            },
            content=body,
            extensions={"timeout": timeouts.as_dict(), "sni_hostname": target.host},
        )

    async def _read(self, response: httpx.Response) -> bytes:
        """The answer's body as far as anybody wants to know it; a connection with a rest is not used again."""
        parts: list[bytes] = []
        left = self._limits.answer_bytes
        async for part in response.aiter_raw():
            parts.append(part[:left])
            left -= len(part)
            if left <= 0:
                break
        return b"".join(parts)


def _not_connected(error: Exception) -> _Failed:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ssl.SSLError):
        seen = seen.__cause__ or seen.__context__
    if isinstance(seen, ssl.SSLCertVerificationError):
        return _Failed(Outcome.TLS, f"TLS failed: {seen.verify_message}")
    if seen is not None:
        return _Failed(Outcome.TLS, "TLS failed")
    return _Failed(Outcome.UNREACHABLE, "no connection could be made")


def _judged(response: httpx.Response, content: bytes) -> Sent:
    status, outcome = response.status_code, _outcome(response.status_code)
    if outcome is Outcome.DELIVERED:
        return Sent(outcome, status)
    reason = "redirects are not followed" if outcome is Outcome.REDIRECTED else f"answered {status}"
    asked = _retry_after(response.headers.get("retry-after", ""))
    return Sent(outcome, status, reason, rules.excerpt(content), asked)


def _outcome(status: int) -> Outcome:
    if status == _GONE:
        return Outcome.GONE
    if _SUCCESS <= status < _REDIRECT:
        return Outcome.DELIVERED
    if _REDIRECT <= status < _CLIENT_ERROR:
        return Outcome.REDIRECTED
    return Outcome.REFUSED if _CLIENT_ERROR <= status < _SERVER_ERROR else Outcome.FAILED


def _retry_after(text: str) -> timedelta | None:
    """Only the form in seconds (RFC 9110, 10.2.3); a date would mean trusting the receiver's clock."""
    return timedelta(seconds=int(text)) if text.isascii() and text.isdecimal() and len(text) <= 6 else None  # noqa: PLR2004 - 11 days
