"""Hashing and checking passwords, beside the event loop and few at a time.

argon2id with 19 MiB, two passes, one lane: OWASP Password Storage Cheat Sheet. Two at a time take 38 MiB and two
processors for some tens of milliseconds; whoever comes next waits in turn.
"""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.accounts.rules import normalised
from kit.turns import Turns

_AT_ONCE = 2
OWASP = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, hasher: PasswordHasher = OWASP) -> None:
        self._hasher = hasher
        self._turns = Turns(_AT_ONCE, "passwords")
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """A hash to store, with its salt and parameters.

        Raises:
            Unavailable: too many others are being made.
        """
        async with self._turns.turn():
            return await asyncio.to_thread(self._hasher.hash, normalised(password))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether a password is the stored one. Without one it takes as long, and the answer is no.

        Raises:
            Unavailable: too many others are being checked.
        """
        async with self._turns.turn():
            return await asyncio.to_thread(self._fits, normalised(password), stored)

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _fits(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash("nobody's")
        try:
            return self._hasher.verify(stored or self._nobodys, password) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False
