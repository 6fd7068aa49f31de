"""Callers of the tests: the identity that the gateway would mint, signed with the tests' own key."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import AcceptedKeys, Verifier, mint

SIGNING_KEY = Ed25519PrivateKey.generate()
AUDIENCE = ("registry", "interventions", "scoring", "gateway")
"""The gateway mints for one service each; one token for all of them is enough for tests."""
verify = Verifier(AcceptedKeys([SIGNING_KEY.public_key()]), "gateway")


@cache
def _token(grants: tuple[Grant, ...], name: str) -> str:
    return mint(Principal(id=name, name=name, grants=grants), SIGNING_KEY, AUDIENCE)


def caller(*roles: str, region: str | None = None, name: str = "tests") -> dict[str, str]:
    """Headers of a caller with these roles in this region (None: the whole country)."""
    return granted(*(Grant(Role(role), region) for role in roles), name=name)


def granted(*grants: Grant, name: str = "tests") -> dict[str, str]:
    """Headers of a caller with these grants."""
    _token.cache_clear()  # tokens live for a minute, a test run for longer
    return {IDENTITY_HEADER: _token(grants, name)}


ADMIN = ("administrator",)
STRANGER: dict[str, str] = {}
