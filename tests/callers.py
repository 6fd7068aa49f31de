"""Callers of the tests: the identity that the gateway would mint, signed with the tests' own key."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.access import IDENTITY_HEADER, Caller, Role
from kit.identity import mint, verifier

SIGNING_KEY = Ed25519PrivateKey.generate()
verify = verifier(SIGNING_KEY.public_key())


@cache
def _token(roles: tuple[Role, ...], region: str | None, name: str) -> str:
    return mint(Caller(id=name, name=name, roles=frozenset(roles), region=region), SIGNING_KEY)


def caller(*roles: str, region: str | None = None, name: str = "tests") -> dict[str, str]:
    """Headers of a caller with these roles in this region (None: the whole country)."""
    _token.cache_clear()  # tokens live for a minute, a test run for longer
    return {IDENTITY_HEADER: _token(tuple(Role(role) for role in roles), region, name)}


ADMIN = ("administrator",)
STRANGER: dict[str, str] = {}
