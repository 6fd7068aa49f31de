"""The short-lived signed identity that the gateway mints and every service checks (Ed25519, JWT)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.regions import parse_region_code
from kit.access import Grant, Principal, Role
from kit.problems import Unauthenticated

ISSUER = "kkb-gateway"
LIFETIME_SECONDS = 60
_ALGORITHM = "EdDSA"
_REMEMBERED = 1024


def mint(principal: Principal, key: Ed25519PrivateKey, now: float | None = None) -> str:
    """A token that says who calls and what was granted to him, valid for a minute."""
    issued = int(now if now is not None else time.time())
    claims = {
        "iss": ISSUER,
        "sub": principal.id,
        "name": principal.name,
        "grants": [[grant.role, grant.region] for grant in principal.grants],
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def verifier(public_key: Ed25519PublicKey) -> Callable[[str | None], Principal]:
    """A function from token to principal. Tokens seen before are remembered until they expire: checking costs a lookup."""
    seen: OrderedDict[str, tuple[int, Principal]] = OrderedDict()

    def verify(token: str | None) -> Principal:
        if not token:
            raise Unauthenticated("this service is reached through the gateway only")
        remembered = seen.get(token)
        if remembered is not None and time.time() < remembered[0]:
            return remembered[1]
        expires, principal = _decode(token, public_key)
        seen[token] = (expires, principal)
        if len(seen) > _REMEMBERED:
            seen.popitem(last=False)
        return principal

    return verify


def _decode(token: str, public_key: Ed25519PublicKey) -> tuple[int, Principal]:
    required = ["iss", "sub", "exp", "iat", "grants"]
    try:
        claims = jwt.decode(token, public_key, algorithms=[_ALGORITHM], issuer=ISSUER, options={"require": required})
        grants = tuple(_grant(role, region) for role, region in claims["grants"])
        principal = Principal(id=claims["sub"], name=claims.get("name", ""), grants=grants)
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise Unauthenticated("the identity token is not valid") from error
    return int(claims["exp"]), principal


def _grant(role: str, region: str | None) -> Grant:
    return Grant(Role(role), None if region is None else parse_region_code(region))


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the gateway's signing key (PEM)."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 private key")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read the key that services check tokens with (PEM)."""
    key = serialization.load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(f"{path} holds no Ed25519 public key")
    return key


def write_key_pair(private_path: Path, public_path: Path) -> None:
    """Make a new key pair; the private half is readable by its owner only."""
    key = Ed25519PrivateKey.generate()
    private_path.touch(mode=0o600)
    private_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public_path.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
