"""Idempotency of operations whose answer holds a secret: kit's keeps answers, and a secret is kept nowhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from kit.idempotency import Key
from kit.problems import KeyReused


@dataclass(frozen=True)
class Repeatable:
    """An Idempotency-Key and the digest of the request it came with; both are kept with what the request made."""

    key: str
    digest: bytes

    def require_same(self, digest: bytes | None) -> None:
        """Make sure that what is there was made by this very request.

        Raises:
            KeyReused: by another one.
        """
        if digest != self.digest:
            raise KeyReused


async def _repeatable(request: Request, idempotency_key: Key = None) -> Repeatable | None:
    if idempotency_key is None:
        return None
    return Repeatable(idempotency_key, hashlib.sha256(await request.body()).digest())


OnlyOnce = Annotated[Repeatable | None, Depends(_repeatable)]
"""What an endpoint takes to know a request again; None where it came without a key."""


def mark_replayed(response: Response) -> None:
    """Say that the answer is about something made before, and so without its secret."""
    response.headers["Idempotency-Replayed"] = "true"
