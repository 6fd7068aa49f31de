"""Every band edge of `web-2021`, and what its missing answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.rulesets.made_villages import (
    POKTAN,
    family_planning,
    first,
    interventions,
    population,
    profile,
    village,
)


def score(indicator: str, facts: dict[str, Any]) -> int | None:
    return shipped_rulesets()["web-2021"].evaluate([facts]).scores_of(0)[indicator]


@pytest.mark.parametrize(
    ("pokja", "members", "trained", "expected"),
    [
        (False, 20, True, 1),
        (None, 20, True, 1),
        (True, 0, False, 2),
        (True, None, None, 2),
        (True, 1, False, 3),
        (True, 0, True, 3),
        (True, None, True, 3),
        (True, 1, None, 3),
        (True, 1, True, 4),
    ],
)
def test_pokja(pokja: bool | None, members: int | None, trained: bool | None, expected: int) -> None:
    facts = village(profile=profile(pokja=pokja, pokja_members=members, pokja_trained=trained))
    assert score("input_pokja", facts) == expected


@pytest.mark.parametrize(("funds", "expected"), [(0, 1), (1, 2), (2, 3), (4, 3), (5, 4), (6, 4)])
def test_funding_sources(funds: int, expected: int) -> None:
    assert score("input_sumber_dana", village(profile=profile(funds=funds))) == expected


def test_a_funding_source_named_twice_counts_once() -> None:
    assert score("input_sumber_dana", village(profile=profile(funding_sources=["apbn", "apbn"]))) == 2


@pytest.mark.parametrize(("groups", "expected"), [(0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (5, 4)])
def test_poktan(groups: int, expected: int) -> None:
    assert score("input_poktan", village(profile=profile(groups=groups))) == expected


@pytest.mark.parametrize(("fields", "indicator"), [
    (("secretariat", "rumah_dataku"), "input_sarana"),
    (("plkb_companion", "local_regulation"), "input_pkb"),
])  # fmt: skip
@pytest.mark.parametrize(
    ("answers", "expected"), [((False, None), 1), ((True, False), 2), ((None, True), 2), ((True, True), 3)]
)
def test_facilities_and_support(
    fields: tuple[str, str], indicator: str, answers: tuple[bool | None, bool | None], expected: int
) -> None:
    facts = village(profile=profile(**dict(zip(fields, answers, strict=True))))
    assert score(indicator, facts) == expected


@pytest.mark.parametrize(("data", "expected"), [(0, 1), (1, 2), (2, 3), (3, 3), (4, 4), (5, 4)])
def test_use_of_data(data: int, expected: int) -> None:
    assert score("proses_penggunaan_data", village(profile=profile(data=data))) == expected


@pytest.mark.parametrize(("mechanisms", "expected"), [(0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (5, 4)])
def test_mechanisms(mechanisms: int, expected: int) -> None:
    assert score("proses_operasional", village(profile=profile(mechanisms=mechanisms))) == expected


@pytest.mark.parametrize(("actors", "expected"), [(0, 1), (1, 2), (3, 2), (4, 3), (6, 3), (7, 4)])
def test_actors(actors: int, expected: int) -> None:
    assert score("proses_lintas_sektor", village(interventions=interventions(actors))) == expected


def test_an_actor_at_two_interventions_counts_once_and_26_and_34_count() -> None:
    facts = village(interventions=[{"actors": [26, 34]}, {"actors": [26, 1]}, {"actors": [1, 34]}])
    assert score("proses_lintas_sektor", facts) == 2


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (9, 1), (10, 2), (20, 2), (21, 3), (30, 3), (31, 4), (250, 4)]
)
def test_participation(percent: int, expected: int) -> None:
    assert score("output_poktan", village(family_planning=family_planning(participation=percent))) == expected


@pytest.mark.parametrize(
    ("participants", "expected"),
    [
        # Out of 100 each: 47/5 = 9.4 -> 9; 48/5 = 9.6 -> 10; 102/5 = 20.4 -> 20; 103/5 = 20.6 -> 21
        ([47, 0, 0, 0, 0], 1),
        ([48, 0, 0, 0, 0], 2),
        ([102, 0, 0, 0, 0], 2),
        ([103, 0, 0, 0, 0], 3),
        ([30, 30, 30, 30, 32], 3),
        ([30, 30, 30, 30, 33], 4),
    ],
)
def test_participation_is_a_rounded_mean_of_rounded_percentages(participants: list[int], expected: int) -> None:
    reported = family_planning() | {"poktan_participants": dict(zip(POKTAN, participants, strict=True))}
    assert score("output_poktan", village(family_planning=reported)) == expected


def test_each_percentage_is_rounded_before_the_mean() -> None:
    # 10.4 five times: each becomes 10, the mean stays 10; 30.5 becomes 30 (half to even), unrounded it would be 31.
    counters = population(**dict.fromkeys(population(), 200))
    half = family_planning() | {"poktan_participants": dict.fromkeys(POKTAN, 61)}
    assert score("output_poktan", village(population=counters, family_planning=half)) == 3


@pytest.mark.parametrize(
    ("users", "pus", "expected"),
    [
        (29, 100, 1),
        (30, 100, 2),
        (40, 100, 2),
        (41, 100, 3),
        (50, 100, 3),
        (51, 100, 4),
        (59, 200, 2),  # 29.5 -> 30, half to even
        (81, 200, 2),  # 40.5 -> 40
        (101, 200, 3),  # 50.5 -> 50
        (150, 100, 4),
        (60, 0, 1),
        (60, None, 1),
    ],
)
def test_contraceptive_prevalence(users: int, pus: int | None, expected: int) -> None:
    facts = village(population=population(pus=pus), family_planning=family_planning(users=users, long_acting=0))
    assert score("output_cpr", facts) == expected


@pytest.mark.parametrize(
    ("long_acting", "users", "expected"),
    [
        (19, 100, 1),
        (20, 100, 2),
        (22, 100, 2),
        (23, 100, 3),
        (24, 100, 3),
        (25, 100, 4),
        (39, 200, 2),  # 19.5 -> 20
        (45, 200, 2),  # 22.5 -> 22
        (49, 200, 3),  # 24.5 -> 24
        (0, 0, 1),
    ],
)
def test_long_acting_methods(long_acting: int, users: int, expected: int) -> None:
    facts = village(family_planning=family_planning(users=users, long_acting=long_acting))
    assert score("output_mkjp", facts) == expected


def test_without_a_population_report_long_acting_methods_score_lowest() -> None:
    assert score("output_mkjp", village(population=None)) == 1


@pytest.mark.parametrize(
    ("unmet", "pus", "expected"),
    [
        (0, 100, 4),
        (6, 100, 4),
        (7, 100, 3),
        (9, 100, 3),
        (10, 100, 2),
        (12, 100, 2),
        (13, 100, 1),
        (13, 200, 4),  # 6.5 -> 6
        (19, 200, 2),  # 9.5 -> 10
        (25, 200, 2),  # 12.5 -> 12
        (40, 0, 4),
        (40, None, 4),
    ],
)
def test_unmet_need(unmet: int, pus: int | None, expected: int) -> None:
    facts = village(population=population(pus=pus), family_planning=family_planning(unmet=unmet))
    assert score("output_unmet", facts) == expected


def test_unmet_need_without_reports() -> None:
    assert score("output_unmet", village(population=None)) == 4
    assert score("output_unmet", village(family_planning=None)) == 1


@pytest.mark.parametrize(
    ("split", "total", "expected"),
    [
        ({"wants_child_later": 5, "wants_no_more": 8}, 1, 1),  # the split is in force: 13 %
        ({"wants_child_later": None, "wants_no_more": None}, 12, 2),
        ({"wants_child_later": 5, "wants_no_more": None}, 12, 2),
        ({"wants_child_later": 5, "wants_no_more": None}, None, 4),
        ({}, 0, 4),
        ({}, None, 1),  # nothing said about unmet need is not the same as none
    ],
)
def test_unmet_need_from_split_or_total(split: dict[str, int | None], total: int | None, expected: int) -> None:
    facts = village(family_planning=family_planning() | {"non_users": split, "unmet_need": total})
    assert score("output_unmet", facts) == expected


def test_users_above_pus_and_negative_counts_are_scored_as_the_predecessor_did() -> None:
    facts = village(family_planning=family_planning(users=-50, long_acting=0, unmet=-7))
    assert score("output_cpr", facts) == 1
    assert score("output_unmet", facts) == 4


def test_completeness_counts_answers_not_scores() -> None:
    engine = shipped_rulesets()["web-2021"]
    partly = {"profile": {"pokja": False, "poktan": first(POKTAN, 2)}, "population": {"pus": 0}}
    evaluation = engine.evaluate([village(), {}, partly])
    assert len(engine.asked) == 39
    assert evaluation.answered.tolist() == [39, 0, 7]
