"""The smallest path: the same as trying everything, confirmed by the engine, and within sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from services.scoring.paths.levers import GROUPS, Draft
from services.scoring.paths.rules import Cost, NoPath, Path, Plan, Search, find_path, plan_of
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.inputs import InputKind, fact_inputs
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.telling import fact_at
from tests.scoring.paths.made import every_path, small_ruleset, village
from tests.scoring.rulesets import made_villages
from tests.scoring.rulesets.test_engine import villages

WEB = shipped_rulesets()["web-2021"]
HIGHEST = len(WEB.classes) - 1


def class_of(engine: Engine, facts: Any) -> int:
    return int(engine.evaluate([facts]).classes[0])


def compare(engine: Engine, facts: dict[str, Any]) -> int:
    """The search against trying everything, for every higher class; how many of them there are."""
    every, now = every_path(engine, facts), class_of(engine, facts)
    for to in range(now + 1, len(engine.classes)):
        found, fitting = find_path(engine, facts, to), [cost for cost, place in every if place >= to]
        if isinstance(found, NoPath):
            assert not fitting
        else:
            assert found.cost == min(fitting)
            assert class_of(engine, found.facts) >= to
    return len(engine.classes) - 1 - now


@pytest.mark.parametrize("block", range(8))
def test_small_rulesets_against_trying_everything(block: int) -> None:
    """Other weights, roundings, thresholds, policies, directions and class matrices than any published one."""
    seeds = range(6 * block, 6 * block + 6)
    assert sum(compare(small_ruleset(seed, most=4), village(seed, (0, 0.2, 0.5)[seed % 3])) for seed in seeds)


@pytest.mark.parametrize("ruleset", ["web-2021", "web-2021-intended"])
@pytest.mark.parametrize("seed", range(3))
def test_shipped_rulesets_against_trying_everything(ruleset: str, seed: int) -> None:
    """Twelve indicators are 4^12 sets of goals; where most are as high as they go, trying them all is possible."""
    drawn, best = village(seed, 0), made_villages.village()
    best["profile"] |= {"funding_sources": made_villages.FUNDING, "data_use": made_villages.DATA}
    best["interventions"] = made_villages.interventions(9)
    weak_input = best | {"profile": best["profile"] | {"poktan": drawn["profile"]["poktan"], "pokja": False}}
    weak_output = best | {name: drawn[name] for name in ("population", "family_planning")}
    for facts in (weak_input, weak_output):
        compare(shipped_rulesets()[ruleset], facts)


@given(villages)
@settings(deadline=None, max_examples=10)
def test_every_path_is_confirmed_by_the_engine_whatever_was_reported(facts: dict[str, Any]) -> None:
    for engine in shipped_rulesets().values():
        for to in range(class_of(engine, facts) + 1, len(engine.classes)):
            found = find_path(engine, facts, to)
            if isinstance(found, Path):
                assert class_of(engine, found.facts) >= to
                before, after = (engine.evaluate([one]).scores[0].tolist() for one in (facts, found.facts))
                for one in found.improvements:
                    assert (one.before, one.after) == (before[one.place], after[one.place])
                    assert one.after > one.before


@pytest.mark.parametrize("ruleset", ["web-2021", "web-2021-intended", "kkb-2026"])
def test_nothing_is_supposed_that_cannot_be(ruleset: str) -> None:
    """Of villages whose figures add up: users within couples, participants within families, choices of the form."""
    engine, compared = shipped_rulesets()[ruleset], 0
    for seed in range(20):
        facts = village(seed, (0, 0.3)[seed % 2])
        found = find_path(engine, facts, HIGHEST) if class_of(engine, facts) < HIGHEST else None
        if isinstance(found, Path):
            compared += 1
            _is_sensible(facts, found)
    assert compared > 8


def _is_sensible(facts: dict[str, Any], found: Path) -> None:
    for group in GROUPS:
        whole = fact_at(found.facts, group.whole)
        parts = [fact_at(found.facts, path) for path in (*group.members, *group.willing, *group.others)]
        assert whole is None or sum(part or 0 for part in parts) <= whole
    for path, value in found.supposed.items():
        before = fact_at(facts, path)
        assert not (path.startswith("population.") and before is not None), "a reported population figure stays"
        if fact_inputs()[path].kind is InputKind.CHOICES:
            assert len(set(value)) == len(value) <= len(fact_inputs()[path].choices)
        elif fact_inputs()[path].kind is InputKind.COUNT:
            assert value >= 0
    done, planned = facts["interventions"], fact_at(found.facts, "interventions")
    assert planned[: len(done)] == done, "what was done stays done"


def test_nothing_to_improve_nothing_to_reach() -> None:
    none = {"population": dict.fromkeys(made_villages.population(), 0)}
    planning = made_villages.family_planning(participation=0, users=0, long_acting=0, unmet=0)
    facts = made_villages.village(**none, family_planning=planning)
    found = find_path(WEB, facts, HIGHEST)
    assert isinstance(found, NoPath)
    (blocked,) = found.blocked
    assert WEB.dimensions[blocked.dimension].code == "output"
    assert blocked.highest < WEB.dimensions[blocked.dimension].threshold
    assert {one.code for one in blocked.obstacles} == {"denominator_zero", "too_few_people"}


class TestWhatDecides:
    """One village each, in which greedy choices or another order of importance would give another path."""

    def path(self, **fields: Any) -> Path:
        found = find_path(WEB, made_villages.village(profile=made_villages.profile(**fields)), HIGHEST)
        assert isinstance(found, Path)
        return found

    def worked_on(self, found: Path) -> list[tuple[str, int]]:
        return [(WEB.codes[one.place], one.after) for one in found.improvements]

    def test_effort_among_equal_steps(self) -> None:
        # two steps are missing: two funding sources, or three groups
        found = self.path(funds=0, groups=2)
        assert self.worked_on(found) == [("input_sumber_dana", 3)]
        assert found.cost == Cost(1, 2, 2)

    def test_effort_among_equal_steps_whatever_stands_first(self) -> None:
        # two steps are missing: three more groups, or the pokja with members and training
        found = self.path(pokja=True, pokja_members=0, pokja_trained=False, groups=0, funds=5)
        assert self.worked_on(found) == [("input_pokja", 4)]
        assert found.cost == Cost(1, 2, 2)

    def test_fewer_indicators_before_less_effort(self) -> None:
        # four steps are missing: the cheapest ones, one answer each, would be four indicators
        found = self.path(groups=0, secretariat=False, plkb_companion=False, funds=1)
        assert found.cost.indicators == 2
        assert found.cost.steps == 4


class TestTheEngineHasTheLastWord:
    """Plain arithmetic only makes it fast: where it is wrong, the answer is the same."""

    FACTS = (
        *(village(seed, 0.1) for seed in range(4)),
        made_villages.village(profile=made_villages.profile(pokja=False, funds=5, local_regulation=False)),
    )

    def compared(self, monkeypatch: pytest.MonkeyPatch, wrong: Any) -> None:
        right = [find_path(WEB, facts, HIGHEST) for facts in self.FACTS]
        assert any(isinstance(one, Path) for one in right)
        monkeypatch.setattr(Search, "_plain_score", wrong)
        for facts, one in zip(self.FACTS, right, strict=True):
            other = find_path(WEB, facts, HIGHEST)
            assert type(one) is type(other)
            assert getattr(one, "cost", None) == getattr(other, "cost", None)

    def test_wrong_from_the_beginning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compared(monkeypatch, lambda _search, _place, _draft: 4)

    def test_wrong_about_what_is_supposed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def wrong(search: Search, place: int, draft: Draft) -> int:
            return 4 if draft is not search.blank else search.now[place]

        self.compared(monkeypatch, wrong)

    def test_what_disturbs_each_other_is_searched_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if the search did not know that users, methods and unmet need are the same couples."""
        for seed in range(4):
            facts = village(seed + 20, 0)
            right = find_path(WEB, facts, HIGHEST)
            with monkeypatch.context() as patch:
                patch.setattr(Search, "_plain_score", lambda _search, _place, _draft: 0)
                patch.setattr(plan_of(WEB), "touched", [{str(place)} for place in range(len(WEB.indicators))])
                again = find_path(WEB, facts, HIGHEST)
            assert getattr(again, "cost", None) == getattr(right, "cost", None)


def test_rulesets_that_tie_many_indicators_together_say_what_was_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = village(2, 0)
    whole = find_path(WEB, facts, HIGHEST)
    monkeypatch.setattr("services.scoring.paths.rules.MOST_TRIED", 2)
    cut = find_path(WEB, facts, HIGHEST)
    assert isinstance(whole, Path)
    assert whole.proven
    assert not cut.proven


def test_a_plan_is_made_once_a_ruleset() -> None:
    assert plan_of(WEB) is plan_of(WEB)
    assert isinstance(plan_of(WEB), Plan)
