"""The short-lived signed identity that the gateway mints and every service checks (Ed25519, JWT, RFC 7519 and 8037).

Keys rotate while everything runs. The gateway signs with the key in its private file, services accept all keys in
their public one, and both files are read again when they change. A key's id is its thumbprint (RFC 7638), so a file
of plain PEM blocks is all there is to hand over. `python -m deploy.identity_keys` makes and rotates them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.regions import parse_region_code
from kit.access import Grant, Principal, Role
from kit.files import WatchedFile
from kit.metrics import IDENTITIES_REFUSED, IDENTITY_KEYS
from kit.problems import Unauthenticated

ISSUER = "kkb-gateway"
LIFETIME_SECONDS = 60
LEEWAY_SECONDS = 5
"""By how much the clocks of two machines may differ."""
_ALGORITHM = "EdDSA"
_REMEMBERED = 1024
_LOOK_AGAIN_SECONDS = 1.0
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)

log = logging.getLogger(__name__)


def key_id(key: Ed25519PublicKey) -> str:
    """A key's name: its JWK thumbprint (RFC 7638, members as of RFC 8037)."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    return _base64url(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint(principal: Principal, key: Ed25519PrivateKey, audience: str | Iterable[str], now: float | None = None) -> str:
    """A token that says to one service who calls and what was granted to him, valid for a minute."""
    return _mint(principal, key, key_id(key.public_key()), audience, now)


def _mint(
    principal: Principal, key: Ed25519PrivateKey, kid: str, audience: str | Iterable[str], now: float | None
) -> str:
    issued = int(now if now is not None else time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience if isinstance(audience, str) else sorted(audience),
        "sub": principal.id,
        "name": principal.name,
        "grants": [[grant.role, grant.region] for grant in principal.grants],
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": kid})


class Signer:
    """Mints identities with the key in a file, the new one as soon as the file is replaced."""

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path)
        self._key = load_private_key(path)
        self._kid = key_id(self._key.public_key())

    def mint(self, principal: Principal, audience: str, now: float | None = None) -> str:
        """A token for one service; see `mint`. Looks at the file: identities are minted twice a minute, not per request."""
        if self._file.was_replaced():
            self._read_again()
        return _mint(principal, self._key, self._kid, audience, now)

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        """A token of another kind by the same key; `typ`, issuer and audience must keep the kinds apart (RFC 8725, 3.11)."""
        if self._file.was_replaced():
            self._read_again()
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid, "typ": typ})

    def _read_again(self) -> None:
        try:
            self._key = load_private_key(self._file.path)
        except (OSError, ValueError, TypeError) as error:
            log.error("the signing key cannot be read again, the old one stays: %s", type(error).__name__)  # noqa: TRY400
            return
        self._kid = key_id(self._key.public_key())
        log.info("identities are signed with another key", extra={"key": self._kid})


class AcceptedKeys:
    """The public keys that identities are checked with, by id."""

    def __init__(self, keys: Iterable[Ed25519PublicKey], file: WatchedFile | None = None) -> None:
        self._keys = {key_id(key): key for key in keys}
        self._file = file
        IDENTITY_KEYS.set(len(self._keys))

    @classmethod
    def of_file(cls, path: Path) -> AcceptedKeys:
        """The keys of a file, read again when it changes."""
        file = WatchedFile(path)
        return cls(load_public_keys(path), file)

    def get(self, kid: str) -> Ed25519PublicKey | None:
        """The key of an id."""
        return self._keys.get(kid)

    def refresh(self) -> bool:
        """Read the file again if it was replaced; whether the keys are others now.

        A file that cannot be read, or has no key, changes nothing: the keys at hand are as good as they were.
        """
        if self._file is None or not self._file.was_replaced():
            return False
        try:
            keys = load_public_keys(self._file.path)
        except (OSError, ValueError, TypeError) as error:
            log.error("the identity keys cannot be read again, the old ones stay: %s", type(error).__name__)  # noqa: TRY400
            return False
        self._keys = {key_id(key): key for key in keys}
        IDENTITY_KEYS.set(len(self._keys))
        log.info("identity keys were read again", extra={"keys": sorted(self._keys)})
        return True


class UnknownKey(jwt.InvalidTokenError):
    """Signed with a key that is not among the accepted ones."""


_REASONS: dict[type[Exception], str] = {
    UnknownKey: "unknown_key",
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "not_yet_valid",
    jwt.InvalidAudienceError: "audience",
}
"""Why a token was refused, where an operator can do something about it; everything else is `invalid`."""


class Verifier:
    """From a token to the principal. Tokens seen before are remembered until they expire: checking costs a lookup."""

    def __init__(self, keys: AcceptedKeys, audience: str) -> None:
        self._keys = keys
        self._audience = audience
        self._remembered: OrderedDict[str, tuple[int, Principal]] = OrderedDict()
        self._look_again = 0.0

    def __call__(self, token: str | None) -> Principal:
        """Who calls.

        Raises:
            Unauthenticated: no token, or one that is not the gateway's, not for this service, or has expired.
        """
        if not token:
            IDENTITIES_REFUSED.labels("missing").inc()
            raise Unauthenticated("this service is reached through the gateway only")
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK_AGAIN_SECONDS
            self._refresh()
        remembered = self._remembered.get(token)
        if remembered is not None and time.time() < remembered[0] + LEEWAY_SECONDS:
            return remembered[1]
        expires, principal = self._decoded(token)
        self._remembered[token] = (expires, principal)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return principal

    def _refresh(self) -> None:
        if self._keys.refresh():
            self._remembered.clear()  # what a key signed that was taken away counts no longer

    def _decoded(self, token: str) -> tuple[int, Principal]:
        try:
            return _decode(token, self._key_of(token), self._audience)
        except (jwt.InvalidTokenError, ValueError, TypeError) as error:
            IDENTITIES_REFUSED.labels(_REASONS.get(type(error), "invalid")).inc()
            raise Unauthenticated("the identity token is not valid") from error

    def _key_of(self, token: str) -> Ed25519PublicKey:
        kid = str(jwt.get_unverified_header(token).get("kid"))
        key = self._keys.get(kid)
        if key is None:
            self._refresh()  # a rotation publishes the public half first
            key = self._keys.get(kid)
        if key is None:
            raise UnknownKey
        return key


def _decode(token: str, key: Ed25519PublicKey, audience: str) -> tuple[int, Principal]:
    claims = jwt.decode(
        token,
        key,
        algorithms=[_ALGORITHM],
        audience=audience,
        issuer=ISSUER,
        leeway=LEEWAY_SECONDS,
        options={"require": ["iss", "aud", "sub", "exp", "iat", "grants"]},
    )
    grants = tuple(_grant(role, region) for role, region in claims["grants"])
    return int(claims["exp"]), Principal(id=claims["sub"], name=claims.get("name", ""), grants=grants)


def _grant(role: str, region: str | None) -> Grant:
    return Grant(Role(role), None if region is None else parse_region_code(region))


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the gateway's signing key (PEM)."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 private key")
    return key


def load_public_keys(path: Path) -> list[Ed25519PublicKey]:
    """Read the keys that services check tokens with: PEM blocks one after the other, at least one.

    Raises:
        ValueError, TypeError: the file holds no key, or something else.
    """
    keys: list[Ed25519PublicKey] = []
    for block in _PEM_BLOCK.finditer(path.read_bytes()):
        key = serialization.load_pem_public_key(block[0])
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError(f"{path} holds a key that is no Ed25519 public key")
        keys.append(key)
    if not keys:
        raise ValueError(f"{path} holds no public key")
    return keys


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """A private key as its file holds it."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def public_pem(*keys: Ed25519PublicKey) -> bytes:
    """Public keys as their file holds them."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return b"".join(key.public_bytes(encoding, form) for key in keys)
