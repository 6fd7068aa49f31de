"""On no other day than those that are named does time change an answer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.rulesets.turning import next_turn, too_old_from, window_end
from tests.scoring.rulesets.test_kkb_2026 import ENGINE, recent

FIRST = date(2025, 12, 20)
DAYS = [f"{FIRST + timedelta(days=n)}" for n in range(500)]
ends_of_months = st.sampled_from(["2025-01-31", "2025-02-28", "2024-02-29", "2025-03-30", "2025-12-31", "2026-03-31"])
dates = ends_of_months | st.dates(date(2024, 12, 1), date(2026, 12, 31)).map(str)
months = st.dates(date(2024, 6, 1), date(2026, 9, 1)).map(lambda day: f"{day:%Y-%m}")
places = st.sampled_from(["profile", "population", "family_planning", "population.pus", "family_planning.methods"])


@given(done=st.lists(dates, max_size=4), periods=st.dictionaries(places, months))
@settings(deadline=None, max_examples=25)
def test_every_day_on_which_something_changes_is_named(done: list[str], periods: dict[str, str]) -> None:
    facts = recent() | {"interventions": [{"actors": [actor], "date": day} for actor, day in enumerate(done, 1)]}
    facts["periods"] |= periods
    evaluation = ENGINE.evaluate([facts | {"as_of": day} for day in DAYS])
    rows = [
        (scores, missing)
        for scores, missing in zip(evaluation.values.tolist(), evaluation.missing.tolist(), strict=True)
    ]
    changed = [day for day, one, before in zip(DAYS[1:], rows[1:], rows, strict=False) if one != before]
    named, day = set[str](), DAYS[0]
    while (turn := next_turn(facts | {"as_of": day}, ENGINE.windows, ENGINE.limits)) is not None:
        assert turn > day
        named.add(turn)
        day = turn
    assert set(changed) <= named


def test_a_village_that_time_does_not_change_has_no_such_day() -> None:
    facts: dict[str, Any] = recent() | {"interventions": [], "periods": {}}
    assert next_turn(facts, ENGINE.windows, ENGINE.limits) is None
    assert next_turn(recent(), (), {}) is None


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        ("2025-03-15", 12, "2026-03-15"),
        ("2025-01-31", 1, "2025-03-01"),
        ("2024-02-29", 12, "2025-03-01"),
        ("2025-12-31", 2, "2026-03-01"),
        ("2025-12-05", 1, "2026-01-05"),
    ],
)
def test_the_end_of_a_window(day: str, months: int, end: str) -> None:
    assert window_end(day, months) == end


def test_a_report_is_too_old_from_the_first_day_of_a_month() -> None:
    assert (too_old_from("2025-09", 3), too_old_from("2025-12", 0)) == ("2026-01-01", "2026-01-01")
