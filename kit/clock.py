"""The time of day, in one place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

_PAPUA = timezone(timedelta(hours=9), "WIT")


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def today() -> date:
    """Today's date where Indonesia's day begins first (WIT, UTC+9): a report from Papua is not "in the future"."""
    return now().astimezone(_PAPUA).date()
