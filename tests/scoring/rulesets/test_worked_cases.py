"""The six worked cases of the domain facts (section 3.3), reckoned by hand."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.rulesets.made_villages import family_planning, interventions, profile, village

WEAK_PROCESS = {"data": 1, "mechanisms": 2}
NO_MANAGEMENT = {
    "pokja": False,
    "pokja_members": None,
    "pokja_trained": None,
    "funds": 1,
    "groups": 2,
    "secretariat": False,
    "rumah_dataku": False,
    "plkb_companion": False,
}

CASES: list[tuple[str, dict[str, Any], list[int], list[str], str]] = [
    ("A", village(), [4, 3, 4, 3, 3, 3, 4, 3, 4, 4, 4, 3], ["3.40", "3.33", "3.75"], "berkelanjutan"),
    (
        "B",
        village(family_planning=family_planning(participation=0, users=20, long_acting=0, unmet=27)),
        [4, 3, 4, 3, 3, 3, 4, 3, 1, 1, 1, 1],
        ["3.40", "3.33", "1.00"],
        "berkembang",
    ),
    (
        "C",
        village(profile=profile(**WEAK_PROCESS), interventions=interventions(2)),
        [4, 3, 4, 3, 3, 2, 2, 2, 4, 4, 4, 3],
        ["3.40", "2.00", "3.75"],
        "mandiri",
    ),
    (
        "D",
        village(profile=profile(**NO_MANAGEMENT, **WEAK_PROCESS), interventions=interventions(2)),
        [1, 2, 2, 1, 2, 2, 2, 2, 4, 4, 4, 3],
        ["1.60", "2.00", "3.75"],
        "dasar",
    ),
    (
        "E",
        {"profile": None, "population": None, "family_planning": None, "interventions": []},
        [1] * 12,
        ["1.00", "1.00", "1.00"],
        "dasar",
    ),
    (
        "F",
        village(profile=profile(funds=2, groups=4, pokja_trained=False)),
        [3, 3, 3, 3, 3, 3, 4, 3, 4, 4, 4, 3],
        ["3.00", "3.33", "3.75"],
        "berkelanjutan",
    ),
]


@pytest.mark.parametrize(
    ("name", "facts", "scores", "indexes", "village_class"), CASES, ids=[case[0] for case in CASES]
)
def test_worked_case(
    name: str, facts: dict[str, Any], scores: list[int], indexes: list[str], village_class: str
) -> None:
    evaluation = shipped_rulesets()["web-2021"].evaluate([facts])
    assert list(evaluation.scores_of(0).values()) == scores
    assert list(evaluation.indexes_of(0).values()) == indexes
    assert evaluation.village_class(0) == village_class
