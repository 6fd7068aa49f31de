"""Hours of use, as they are kept and shown."""

from __future__ import annotations

from datetime import UTC, datetime

from kit import clock

MADE, LATER = (datetime(2026, 1, 31, hour, 47, 5, 7, tzinfo=UTC) for hour in (10, 12))


def test_an_hour_is_kept_by_its_beginning() -> None:
    assert clock.hour_of(MADE) == datetime(2026, 1, 31, 10, tzinfo=UTC)


def test_nothing_is_used_before_it_is_there() -> None:
    assert clock.hour_within(clock.hour_of(MADE), MADE) == MADE
    assert clock.hour_within(clock.hour_of(LATER), MADE) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert clock.hour_within(None, MADE) is None
    assert clock.hour_within(MADE, None) == MADE
