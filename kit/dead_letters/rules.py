"""What the bytes of a dead letter say, as far as they can be read: nothing here fails, whatever the bytes are."""

from __future__ import annotations

import base64
import json
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, Field
from pydantic_core import to_json

_LONGEST_NAME = 200
"""Longer than any type or id of ours; what is longer is shown with the payload only."""


class Payload(BaseModel):
    """The message as it came, nothing lost: JSON where it is JSON, else text where it is UTF-8, else base64."""

    format: Literal["json", "text", "base64"]
    content: Any = Field(description="A JSON value, or a text")


def payload_of(body: bytes) -> Payload:
    """The message in the most readable form that says all of it."""
    try:
        return Payload(format="json", content=_json(body))
    except (ValueError, RecursionError):
        pass
    try:
        return Payload(format="text", content=body.decode())
    except UnicodeDecodeError:
        return Payload(format="base64", content=base64.b64encode(body).decode())


def named_in(body: bytes) -> tuple[str | None, str | None]:
    """Type and id of the event, each None where the message does not say it."""
    try:
        said = _json(body)
    except (ValueError, RecursionError):
        return None, None
    return (_name(said, "type"), _name(said, "id")) if isinstance(said, dict) else (None, None)


def _name(said: dict[str, Any], member: str) -> str | None:
    value = said.get(member)
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else None


def _json(body: bytes) -> Any:
    said = json.loads(body.decode(), parse_constant=_refuse)
    to_json(said)  # half a surrogate pair, or nesting too deep to be written again: then it is shown as text
    return said


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
