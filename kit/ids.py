"""Identifiers: UUID version 7 (RFC 9562), ordered by time so that indexes stay compact."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7() -> UUID:
    """A new UUIDv7: 48 bits of milliseconds, 74 random bits."""
    return UUID(int=_new())


def uuid7_text() -> str:
    """As str(uuid7()), at a third of its cost: every request has one."""
    digits = f"{_new():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _new() -> int:
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10))
    high = random_bits >> 68 & 0xFFF
    low = random_bits & ((1 << 62) - 1)
    return milliseconds << 80 | _VERSION_7 | high << 64 | _VARIANT | low
