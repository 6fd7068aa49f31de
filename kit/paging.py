"""Lists: an opaque cursor, a limit, no totals."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kit import problems

T = TypeVar("T")


class ListFilters(BaseModel):
    """Query parameters of a list; subclasses add their closed set of filters. Unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200, description="Most items to return")
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Cursor of the next page; null at the end")


def encode_cursor(*position: Any) -> str:
    """A cursor that stands for the last item's sort key."""
    return base64.urlsafe_b64encode(json.dumps(position, default=str).encode()).decode().rstrip("=")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("not one of our cursors") from error


_READ: dict[type, Callable[[str], Any]] = {
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    Decimal: _decimal,
    UUID: UUID,
}


def _part(value: Any, kind: type) -> Any:
    read = _READ.get(kind)
    if type(value) is not (kind if read is None else str):
        raise ValueError("not one of our cursors")
    return value if read is None else read(str(value))


def decode_cursor(cursor: str | None, *kinds: type, pointer: str = "query:cursor") -> tuple[Any, ...] | None:
    """The sort key a cursor stands for, its parts as `kinds` say (str, int, date, datetime, Decimal, UUID); None at the beginning.

    Raises:
        Invalid: the cursor was not made by us.
    """
    if cursor is None:
        return None
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return tuple(_part(value, kind) for value, kind in zip(parts, kinds, strict=True))
    except (ValueError, TypeError) as error:
        raise problems.Invalid(errors=[{"pointer": pointer, "detail": "not a cursor of this list"}]) from error


def page_of(items: list[T], limit: int, *key: Any) -> tuple[list[T], str | None]:
    """Cut a result that was read with limit + 1: the page and its next cursor.

    `key` are functions from the last item to the parts of its sort key.
    """
    if len(items) <= limit:
        return items, None
    page = items[:limit]
    return page, encode_cursor(*(part(page[-1]) for part in key))
