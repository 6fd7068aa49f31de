"""How an API key is written, and what is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

SECRET_BYTES = 32
LONGEST_OVERLAP = timedelta(days=30)
"""How long after a rotation the old secret may stay good."""
LONGEST_OWN_OVERLAP = timedelta(days=7)
"""The same where the key's holder rotates it himself: a thief who did it in his place is noticed when the old one ends."""

_WRITTEN = re.compile(r"kkb_([0-9a-f]{32})_([0-9a-f]{64})")
"""Letters and digits only: one double click selects it, and secret scanners can recognise it."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as a client presents it."""

    id: UUID
    secret: str


def parse(text: str) -> Presented | None:
    """Read a key; None when it is not one."""
    match = _WRITTEN.fullmatch(text)
    return Presented(UUID(hex=match[1]), match[2]) if match else None


def written(key_id: UUID, secret: str) -> str:
    """The key as its owner gets it, once."""
    return f"kkb_{key_id.hex}_{secret}"


def digest(secret: str) -> bytes:
    """What is stored of a secret.

    Plain SHA-256 is right here: the secret is 256 random bits, so nobody can try candidates, and a slow hash
    (argon2, bcrypt) would only slow down every request. Slow hashes are for passwords, which people choose.
    """
    return hashlib.sha256(secret.encode()).digest()


def fits(secret: str, stored: bytes) -> bool:
    """Whether a secret is the stored one, compared in constant time."""
    return hmac.compare_digest(digest(secret), stored)


class Secret(Enum):
    """Which of a key's secrets somebody presents."""

    CURRENT = "current"
    OLD = "old"
    """The one before the last rotation, within its time."""
    REPLACED = "replaced"
    """The same, after it."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class OldSecret:
    """What is stored of the secret before the last rotation."""

    digest: bytes
    until: datetime


def which(secret: str, current: bytes, old: OldSecret | None, now: datetime) -> Secret:
    """Which secret it is, of the stored ones."""
    if fits(secret, current):
        return Secret.CURRENT
    if old is None or not fits(secret, old.digest):
        return Secret.WRONG
    return Secret.OLD if now < old.until else Secret.REPLACED
