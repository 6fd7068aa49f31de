"""An identity provider of our own: it publishes keys and signs real tokens, and can behave as badly as real ones do."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.types import Receive, Scope, Send

from tests.gateway.conftest import listening

AUDIENCE = "kampung-kb"


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class SigningKey:
    kid: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def jwk(self) -> dict[str, Any]:
        public = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def new_key(kid: str, algorithm: str) -> SigningKey:
    if algorithm == "RS256":
        return SigningKey(kid, algorithm, rsa_key())
    if algorithm == "ES256":
        return SigningKey(kid, algorithm, ec.generate_private_key(ec.SECP256R1()))
    return SigningKey(kid, algorithm, Ed25519PrivateKey.generate())


@dataclass
class Provider:
    """Its people are whoever a test says; `behaviour` is how it answers requests for its documents."""

    address: str
    keys: list[SigningKey]
    behaviour: str = "well"
    fetched: int = 0
    """Requests for the keys."""
    discovery: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says otherwise."""
    published: list[dict[str, Any]] | None = None
    """What the key set holds instead of the keys."""

    @property
    def issuer(self) -> str:
        return f"{self.address}/realms/dinas"

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "orang-1",
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "azp": "konsol",
            "groups": ["opd-kb"],
            "kkb_region": "91.01",
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def sign(self, key: SigningKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token by one of its keys (the first, if none is given); claims that are None are left out."""
        with_key = key or self.keys[0]
        head = {"kid": with_key.kid, "typ": "at+jwt", **(header or {})}
        return jwt.encode(self.claims(**changes), with_key.private, algorithm=with_key.algorithm, headers=head)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.behaviour == "hangs":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        if self.behaviour == "redirects":
            await _answer(send, 302, b"", [(b"location", self.address.encode() + b"/elsewhere")])
        elif self.behaviour == "fails":
            await _answer(send, 500, b"")
        elif self.behaviour == "babbles":
            await _answer(send, 200, b"[" * 100_000)
        elif self.behaviour == "floods":
            await _answer(send, 200, b'{"x": "' + b"y" * 300_000 + b'"}')
        elif scope["path"] == "/realms/dinas/.well-known/openid-configuration":
            document = {"issuer": self.issuer, "jwks_uri": f"{self.address}/keys", **self.discovery}
            await _answer(send, 200, json.dumps(document).encode())
        elif scope["path"] == "/keys":
            self.fetched += 1
            listed = [key.jwk for key in self.keys] if self.published is None else self.published
            await _answer(send, 200, json.dumps({"keys": listed}).encode())
        else:
            await _answer(send, 404, b"")


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def providing(*keys: SigningKey) -> AsyncIterator[Provider]:
    provider = Provider("", list(keys) or [new_key("k1", "EdDSA")])
    async with listening(provider) as port:
        provider.address = f"http://127.0.0.1:{port}"
        yield provider
