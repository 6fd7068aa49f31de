"""The signed identity of whoever was let in, minted for one service and used for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from kit.access import Principal
from kit.identity import LIFETIME_SECONDS, Signer

_REUSED_SECONDS = LIFETIME_SECONDS / 2
"""A minted identity is used for half its life: what leaves here is good for at least the other half."""


@dataclass(frozen=True, slots=True)
class Minted:
    """An identity ready for the header."""

    token: bytes
    until: float
    """Unix time."""


class Admitted(Protocol):
    """Somebody whose credential opens the door."""

    principal: Principal
    identities: dict[str, Minted]
    """By service: an identity is for one, so that none can use it at another."""


class Identities:
    """Mints identities."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def of(self, admitted: Admitted, service: str) -> bytes:
        """The identity for a service, ready for the header."""
        now = time.time()
        minted = admitted.identities.get(service)
        if minted is None or now >= minted.until:
            token = self._signer.mint(admitted.principal, service, now).encode()
            minted = admitted.identities[service] = Minted(token, now + _REUSED_SECONDS)
        return minted.token
