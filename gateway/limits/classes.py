"""Which operations are counted together: one quota for reading, another for what costs the platform much."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class LimitClass(StrEnum):
    """Classes of operations, each with a quota of its own."""

    READ = "read"
    WRITE = "write"
    HEAVY = "heavy"
    """Exports, imports, comparisons, recomputations, rebuilds: what costs as much as hundreds of others."""
    SIGN_IN = "sign-in"
    """What changes something and is open to strangers: it can only be the way in."""


def class_of(method: str, scopes: Collection[str], stated: str | None) -> LimitClass:
    """The class of an operation: what its contract says (`x-limit`), else what its method and access rule say.

    Raises:
        ValueError: the contract names a class that there is not.
    """
    if stated is not None:
        return LimitClass(stated)
    if method in _SAFE:
        return LimitClass.READ
    return LimitClass.WRITE if scopes else LimitClass.SIGN_IN
