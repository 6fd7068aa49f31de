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


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour that a moment lies in: says that something is in use, and tells nobody's day."""
    return moment.replace(minute=0, second=0, microsecond=0)


def hour_within(hour: datetime | None, beginning: datetime | None) -> datetime | None:
    """An hour of use as it is shown: nothing was used before it was there, though its first hour began before."""
    return max(hour, beginning) if hour is not None and beginning is not None else hour
