"""Secrets that must be used again, encrypted at rest (AES-256-GCM): the database alone opens none of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_WRITTEN = re.compile(r"[0-9a-f]{64}")


class KeyUnusable(Exception):
    """The file does not hold keys; the process must not start and make secrets nobody can keep."""


class SecretUnreadable(Exception):
    """None of the keys opens a secret: the key file was replaced, or the row is another webhook's."""


class Under(StrEnum):
    """Which of the vault's keys a secret is encrypted with."""

    NEWEST = "newest"
    OLDER = "older"
    UNKNOWN = "unknown"
    """None of them: the secret cannot be read here."""


class Vault:
    """Encrypts with the first key, decrypts with any. A secret is bound to its webhook: a row cannot take another's."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]
        self.names = [_name(key) for key in keys]
        """Numbers that processes tell each other by which keys they have, the newest first."""

    @classmethod
    def of(cls, file: Path) -> Vault:
        """The vault of a key file: a key of 64 hexadecimal digits a line, the newest first.

        Raises:
            KeyUnusable: there is none, or a line is something else.
        """
        try:
            lines = file.read_text(encoding="ascii").split()
        except (OSError, ValueError) as error:
            raise KeyUnusable(f"the webhooks' key file {file} cannot be read: {error}") from error
        if not lines or not all(_WRITTEN.fullmatch(line) and len(set(line)) > 1 for line in lines):
            raise KeyUnusable(f"{file} must hold a key of 64 random hexadecimal digits a line")
        return cls([bytes.fromhex(line) for line in lines])

    def seal(self, secret: str, webhook: UUID) -> bytes:
        """A secret as it is stored."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret.encode(), webhook.bytes)

    def unseal(self, sealed: bytes, webhook: UUID) -> str:
        """A stored secret.

        Raises:
            SecretUnreadable: see there.
        """
        return self._opened(sealed, webhook)[1]

    def under(self, sealed: bytes, webhook: UUID) -> Under:
        """Which key a stored secret is under. It is tried and not written beside it: what was tried is always true."""
        try:
            return Under.OLDER if self._opened(sealed, webhook)[0] else Under.NEWEST
        except SecretUnreadable:
            return Under.UNKNOWN

    def _opened(self, sealed: bytes, webhook: UUID) -> tuple[int, str]:
        """The place of the key that opens a stored secret, and the secret."""
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for place, cipher in enumerate(self._ciphers):
            try:
                return place, cipher.decrypt(nonce, content, webhook.bytes).decode()
            except InvalidTag:
                continue
        raise SecretUnreadable


def _name(key: bytes) -> int:
    """31 bits of a key's SHA-256: enough to know it by, and nobody gets from there back to 256 random bits."""
    return int.from_bytes(hashlib.sha256(b"kkb-webhook-key" + key).digest()[:4]) >> 1
