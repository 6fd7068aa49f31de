"""How a client shows its id and secret, and how an access token is written."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote_plus
from uuid import UUID

PREFIX = "kkbt_"
"""Tells a token of ours from a key and from an identity provider's; secret scanners can recognise it."""
LIFE_SECONDS = 900

_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it shows itself: the id and secret of a key."""

    id: UUID
    secret: str


def client_of(identifier: str, secret: str) -> Client | None:
    """A client; None where the id is none."""
    return Client(UUID(identifier), secret) if _ID.fullmatch(identifier) else None


def basic(header: str) -> tuple[str, str] | None:
    """Id and secret of an Authorization header: form-encoded, then Basic (RFC 6749, 2.3.1); None where it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except ValueError:
        return None
    identifier, colon, secret = text.partition(":")
    return (unquote_plus(identifier), unquote_plus(secret)) if colon else None
