"""The time of day, in one place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

_PAPUA = timezone(timedelta(hours=9), "WIT")
_SUMATRA = timezone(timedelta(hours=7), "WIB")


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def today() -> date:
    """Today's date where Indonesia's day begins first (WIT, UTC+9): a report from Papua is not "in the future"."""
    return now().astimezone(_PAPUA).date()


def today_where_it_ends_last() -> date:
    """Today's date where Indonesia's day ends last (WIB, UTC+7): what is over here is over in all of Indonesia."""
    return now().astimezone(_SUMATRA).date()
