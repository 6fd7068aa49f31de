"""Which answers are in force: silence never erases another source's answer, a blank of the same source does."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.ids import uuid7
from services.scoring.facts.rules import Report, facts_in_force, group_of


def report(
    kind: str,
    facts: dict[str, Any],
    *,
    period: str = "2025-09",
    source: str = "manual",
    revision: int = 1,
    day: int = 1,
) -> Report:
    return Report(
        report_id=uuid7(),
        kind=kind,
        source_system=source,
        period=period,
        revision=revision,
        simulated=False,
        reported_at=datetime(2025, 10, day, tzinfo=UTC),
        facts=facts,
    )


def test_no_report_is_no_fact() -> None:
    in_force = facts_in_force([])
    assert (in_force.facts, in_force.sources, in_force.newest_period) == ({}, {}, {})


def test_silence_of_one_source_never_erases_another_sources_answer() -> None:
    officer = report("population", {"pus": 112, "families": 300}, period="2024-01")
    siga = report("population", {"pus": 120}, source="siga")
    in_force = facts_in_force([siga, officer])
    assert in_force.facts["population"] == {"pus": 120, "families": 300}
    assert in_force.sources == {"population.pus": siga, "population.families": officer}
    assert in_force.newest_period == {"population": "2025-09"}


def test_a_newer_report_of_the_same_source_that_leaves_a_field_blank_erases_it() -> None:
    before = report("population", {"pus": 112, "families": 300}, period="2024-01")
    after = report("population", {"pus": 120})
    assert facts_in_force([before, after]).facts["population"] == {"pus": 120}


def test_a_later_revision_of_the_same_period_counts() -> None:
    first, second = report("population", {"pus": 1}), report("population", {"pus": 2}, revision=2)
    for order in ([first, second], [second, first]):
        assert facts_in_force(order).facts["population"] == {"pus": 2}


def test_an_earlier_period_corrected_later_does_not_become_the_latest() -> None:
    old = report("population", {"pus": 1}, period="2025-08", revision=9, day=9)
    new = report("population", {"pus": 2}, period="2025-09")
    assert facts_in_force([old, new]).facts["population"] == {"pus": 2}


def test_numbers_of_two_sources_are_never_mixed_inside_one_group() -> None:
    officer = report("family_planning", {"methods": {"iud": 5, "pill": 7}, "bpjs_users": 3}, period="2025-01")
    siga = report("family_planning", {"methods": {"iud": 9}}, source="siga")
    in_force = facts_in_force([officer, siga])
    assert in_force.facts["family_planning"] == {"methods": {"iud": 9}, "bpjs_users": 3}
    assert in_force.sources["family_planning.methods"] is siga


def test_poktan_and_mechanisms_are_answered_one_by_one() -> None:
    officer = report(
        "profile", {"poktan": {"bkb": False, "uppka": True}, "mechanisms": {"outreach": True}}, period="2025-01"
    )
    siga = report("profile", {"poktan": {"bkb": True}, "mechanisms": {}}, source="siga")
    in_force = facts_in_force([officer, siga])
    assert in_force.facts["profile"] == {"poktan": {"bkb": True, "uppka": True}, "mechanisms": {"outreach": True}}
    assert in_force.sources["profile.poktan.uppka"] is officer


def test_an_empty_list_is_an_answer_and_a_group_of_blanks_is_not() -> None:
    officer = report("profile", {"funding_sources": ["apbn"]}, period="2025-01")
    other = report("profile", {"funding_sources": []}, source="siga")
    assert facts_in_force([officer, other]).facts["profile"]["funding_sources"] == []
    split = report("family_planning", {"non_users": {"pregnant": 4}}, period="2025-01")
    blank = report("family_planning", {"non_users": {"pregnant": None}}, source="siga")
    assert facts_in_force([split, blank]).facts["family_planning"] == {"non_users": {"pregnant": 4}}


def test_a_report_that_answers_nothing_was_still_made() -> None:
    in_force = facts_in_force([report("population", {})])
    assert in_force.facts == {"population": {}}
    assert in_force.sources == {}


def test_every_answer_has_the_month_of_the_report_it_comes_from() -> None:
    officer = report("population", {"pus": 1, "families": 5}, period="2024-01")
    siga = report("population", {"pus": 2}, source="siga", period="2025-09")
    profile = report("profile", {"poktan": {"bkb": True}, "pokja": True}, period="2025-08")
    in_force = facts_in_force([officer, siga, profile])
    assert in_force.periods == {"population": "2025-09", "population.families": "2024-01", "profile": "2025-08"}


def test_every_order_of_arrival_gives_one_result() -> None:
    reports = [
        report("population", {"pus": 1, "families": None}),
        report("population", {"pus": 2, "families": 5}, source="siga"),
        report("population", {"pus": 3, "families": 6}, source="demo"),
        report("population", {"pus": 4}, source="siga", period="2025-08"),
    ]
    results = [facts_in_force(order) for order in itertools.permutations(reports)]
    assert all(result == results[0] for result in results)
    assert results[0].facts["population"] == {"pus": 2, "families": 5}


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("profile.pokja", "profile.pokja"),
        ("profile.poktan.bkb", "profile.poktan.bkb"),
        ("profile.mechanisms.outreach", "profile.mechanisms.outreach"),
        ("family_planning.methods.iud", "family_planning.methods"),
        ("family_planning.unmet_need", "family_planning.unmet_need"),
        ("interventions", "interventions"),
    ],
)
def test_group_of_a_path(path: str, group: str) -> None:
    assert group_of(path) == group


def in_force_by_the_book(reports: list[Report]) -> tuple[dict[str, Any], dict[str, Report]]:
    """Answers by group and the reports they come from: one question after the other, straight from the rule."""
    latest = [
        one
        for one in reports
        if not any(
            (other.kind, other.source_system) == (one.kind, one.source_system)
            and (other.period, other.revision) > (one.period, one.revision)
            for other in reports
        )
    ]
    latest.sort(key=lambda one: (one.period, one.reported_at, one.source_system), reverse=True)
    answers: dict[str, Any] = {}
    sources: dict[str, Report] = {}
    for group in GROUPS:
        kind, *path = group.split(".")
        for one in latest:
            value: Any = one.facts if one.kind == kind else None
            for name in path:
                value = (value or {}).get(name)
            if value is not None and (not isinstance(value, dict) or set(value.values()) - {None}):
                answers[group], sources[group] = value, one
                break
    return answers, sources


GROUPS = (
    "profile.pokja",
    "profile.funding_sources",
    "profile.poktan.bkb",
    "profile.poktan.bkl",
    "profile.mechanisms.outreach",
    "population.pus",
    "population.families",
    "family_planning.methods",
    "family_planning.unmet_need",
)
ANSWERS = st.sampled_from([None, False, True, 0, 3])
POKTAN = st.fixed_dictionaries({}, optional={"bkb": ANSWERS, "bkl": ANSWERS})
TOLD = {
    "profile": st.fixed_dictionaries(
        {},
        optional={
            "pokja": ANSWERS,
            "funding_sources": st.sampled_from([None, [], ["apbn"]]),
            "poktan": POKTAN | st.none(),
            "mechanisms": st.fixed_dictionaries({}, optional={"outreach": ANSWERS}),
        },
    ),
    "population": st.fixed_dictionaries({}, optional={"pus": ANSWERS, "families": ANSWERS}),
    "family_planning": st.fixed_dictionaries(
        {},
        optional={
            "methods": st.none() | st.fixed_dictionaries({}, optional={"iud": ANSWERS, "pill": ANSWERS}),
            "unmet_need": ANSWERS,
        },
    ),
}


@st.composite
def any_report(draw: st.DrawFn) -> Report:
    kind = draw(st.sampled_from(list(TOLD)))
    return report(
        kind,
        draw(TOLD[kind]),
        period=draw(st.sampled_from(["2025-07", "2025-08", "2025-09"])),
        source=draw(st.sampled_from(["manual", "siga", "demo"])),
        day=draw(st.integers(1, 2)),
    )


@given(st.lists(any_report(), max_size=7, unique_by=lambda one: (one.kind, one.source_system, one.period)))
@settings(deadline=None, max_examples=100)
def test_in_force_is_what_the_rule_says_group_by_group(reports: list[Report]) -> None:
    in_force = facts_in_force(reports)
    answers, sources = in_force_by_the_book(reports)
    for group in GROUPS:
        value: Any = in_force.facts
        for name in group.split("."):
            value = (value or {}).get(name)
        assert value == answers.get(group) or (group not in answers and not any((value or {}).values())), group
    assert in_force.sources == sources
    assert set(in_force.facts) == {one.kind for one in reports}
    newest = {kind: max(one.period for one in reports if one.kind == kind) for kind in in_force.facts}
    assert in_force.newest_period == newest
    older = {g: one.period for g, one in sources.items() if one.period != newest[one.kind]}
    assert in_force.periods == newest | older
