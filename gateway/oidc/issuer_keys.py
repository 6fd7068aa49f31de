"""An issuer's public keys: found by discovery, kept for a while, fetched anew when a token names one that is not known.

OpenID Connect Discovery 1.0 (4), RFC 7517 (JWK Set), OpenID Connect Core 1.0 (10.1.1, rotation of signing keys).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from contextvars import Context
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import BaseModel, ConfigDict, Field

from gateway.metrics import OIDC_FETCHES
from gateway.oidc.schemas import Issuer, fetchable
from kit import deadlines
from kit.tasks import stop

log = logging.getLogger(__name__)

_DOCUMENT_BYTES = 256 * 1024
_MOST_KEYS = 100
_SMALLEST_RSA_BITS = 2048
"""RFC 7518, 3.3 and 3.5."""
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_NAMES = {"EdDSA": ("EdDSA", "Ed25519")}
"""RFC 9864 gives EdDSA over Ed25519 a name of its own."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Keys = Mapping[str | None, Mapping[str, Any]]
"""Public keys (JWK) by their id; None where the set has a single key without one."""


class KeyLimits(BaseModel):
    """How long keys are kept, and how often they are asked for. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    renew: float = Field(3600.0, gt=0, description="Age at which keys are fetched anew")
    keep: float = Field(86_400.0, gt=0, description="Age up to which keys are used while the issuer is away")
    pause: float = Field(30.0, gt=0, description="Shortest time between two fetches")
    fetch: float = Field(5.0, gt=0, description="Longest fetch of a document")


class FetchFailed(Exception):
    """The issuer's documents did not come, or cannot be used."""


class IssuerKeys:
    """The keys of one issuer."""

    def __init__(self, issuer: Issuer, limits: KeyLimits, *, plain_http: bool) -> None:
        self._issuer = issuer
        self._limits = limits
        self._plain_http = plain_http
        self._keys: Keys = {}
        self._fetched_at: float | None = None
        """Monotonic time of the last fetch that succeeded."""
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.failure: str | None = "not fetched yet"
        """Why the last fetch failed; None when it did not."""
        self.changes = 0
        """Grows whenever a key was taken away or replaced: what was verified with it counts no longer."""

    @property
    def age(self) -> float:
        """Seconds since the keys were fetched; infinite while there are none."""
        return float("inf") if self._fetched_at is None else time.monotonic() - self._fetched_at

    @property
    def usable(self) -> bool:
        """Whether there are keys young enough to trust."""
        return self.age < self._limits.keep

    async def find(self, kid: str | None) -> Mapping[str, Any] | None:
        """A key by its id; None when the issuer has no such key.

        Raises:
            FetchFailed: the keys are not known, or too old, or may lack this one, and the issuer does not answer.
        """
        if not (self.usable and kid in self._keys) and self._may_fetch():
            await self._fetch_once()
        if not self.usable:
            raise FetchFailed(self.failure)
        key = self._keys.get(kid)
        if key is None and self.failure is not None:
            raise FetchFailed(self.failure)
        return key

    async def renew(self) -> None:
        """Fetch the keys if they are old, so that tokens wait for no fetch."""
        old = self.failure is not None or self.age >= self._limits.renew
        if old and self._may_fetch():
            await self._fetch_once()

    def serve(self, issuer: Issuer) -> bool:
        """Whether they are the keys of this issuer, whatever else is said of it now."""
        own = self._issuer
        return (own.name, own.issuer, own.algorithms) == (issuer.name, issuer.issuer, issuer.algorithms)

    async def check(self) -> str | None:
        """What is wrong with the keys, for those who look after the gateway; None when all is well."""
        if self.failure is None:
            return None
        return f"{self.failure}; " + (f"keys of {self.age:.0f} s ago are used" if self.usable else "no token is taken")

    @property
    def fetching(self) -> bool:
        """Whether a fetch is under way."""
        return self._fetching is not None

    async def close(self) -> None:
        """Give up a fetch under way."""
        if self._fetching is not None:
            await stop([self._fetching])

    def _may_fetch(self) -> bool:
        """One fetch at a time; who comes during one waits for it, who comes right after one does not cause the next."""
        if self._fetching is not None:
            return True
        return self._tried_at is None or time.monotonic() - self._tried_at >= self._limits.pause

    async def _fetch_once(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), context=Context())  # not within one request's time
            self._fetching.add_done_callback(self._fetched)
        try:
            async with asyncio.timeout(deadlines.remaining()):
                await asyncio.shield(self._fetching)
        except TimeoutError:
            raise FetchFailed("not fetched within the request's time") from None

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # looked at, also when everybody who waited for it has gone

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(2 * self._limits.fetch):
                keys = await self._read()
        except (FetchFailed, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            self.failure = str(error) or type(error).__name__
            OIDC_FETCHES.labels(self._issuer.name, "failed").inc()
            log.warning("keys of issuer %s could not be fetched: %s", self._issuer.name, self.failure)
            return
        if any(keys.get(kid) != key for kid, key in self._keys.items()):
            self.changes += 1
        self._keys, self._fetched_at, self.failure = keys, time.monotonic(), None
        OIDC_FETCHES.labels(self._issuer.name, "ok").inc()

    async def _read(self) -> Keys:
        async with self._client() as client:
            place = f"{self._issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = await _json(client, place)
            if document.get("issuer") != self._issuer.issuer:
                raise FetchFailed("the discovery document is another issuer's")
            address = document.get("jwks_uri")
            if not isinstance(address, str) or not fetchable(address, plain_http=self._plain_http):
                raise FetchFailed("the discovery document names no https address of keys")
            return _usable((await _json(client, address)).get("keys"), self._issuer.algorithms)

    def _client(self) -> httpx.AsyncClient:
        # An office's proxy cannot reach this machine. A redirect could lead anywhere, so none is followed.
        loopback = urlsplit(self._issuer.issuer).hostname in _LOOPBACK
        return httpx.AsyncClient(timeout=self._limits.fetch, follow_redirects=False, trust_env=not loopback)


async def _json(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    content = bytearray()
    async with client.stream("GET", address, headers={"Accept": "application/json"}) as answer:
        if answer.status_code != httpx.codes.OK:
            raise FetchFailed(f"{address} answers {answer.status_code}")
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > _DOCUMENT_BYTES:
                raise FetchFailed(f"{address} answers more than {_DOCUMENT_BYTES} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FetchFailed(f"{address} does not answer JSON") from error
    if not isinstance(document, dict):
        raise FetchFailed(f"{address} does not answer an object")
    return document


def _usable(listed: Any, algorithms: list[Any]) -> Keys:
    """The keys that can check one of the algorithms; others may be there, for other purposes (RFC 7517, 5)."""
    found = listed if isinstance(listed, list) else []
    keys = [key for key in found[:_MOST_KEYS] if isinstance(key, dict) and _fits_any(key, algorithms)]
    if not keys:
        raise FetchFailed("the issuer publishes no key that can be used")
    alone = len(keys) == 1
    return {key.get("kid"): key for key in keys if isinstance(key.get("kid"), str) or (alone and "kid" not in key)}


def _fits_any(key: dict[str, Any], algorithms: list[Any]) -> bool:
    return any(fits(key, algorithm) and public_key(key, algorithm) is not None for algorithm in algorithms)


def fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key is meant for signatures of an algorithm (RFC 8725, 3.1: a key for one algorithm only)."""
    return (
        key.get("kty") == _KEY_TYPES[algorithm[:2]]
        and key.get("crv") == _CURVES.get(algorithm)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) in _NAMES.get(algorithm, (algorithm,))
    )


def public_key(key: Mapping[str, Any], algorithm: str) -> Any:
    """The key as it is checked with; None where it is broken, too short, or not a public one."""
    if "d" in key or "k" in key:
        return None
    try:
        made = jwt.get_algorithm_by_name(algorithm).from_jwk(dict(key))
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(made, RSAPublicKey) and made.key_size < _SMALLEST_RSA_BITS:
        return None
    return made
