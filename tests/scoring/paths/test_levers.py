"""The smallest change of facts for one score: exact on the ruleset's own grid, within sense, and told in words."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.paths.arithmetic import percent, value_of
from services.scoring.paths.levers import Draft, Goal, Stuck, reach
from services.scoring.paths.rules import Improvement, Search, Tried, plan_of
from services.scoring.paths.wording import action
from services.scoring.rulesets.document import Labels, Mean
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.paths.made import small_ruleset, village
from tests.scoring.rulesets.made_villages import FUNDING, POKTAN, family_planning, population, profile
from tests.scoring.rulesets.made_villages import village as made
from tests.scoring.rulesets.test_engine import villages

WEB = shipped_rulesets()["web-2021"]
METHODS = "family_planning.methods"
LATER = "family_planning.non_users.wants_child_later"
NO_MORE = "family_planning.non_users.wants_no_more"


def drafted(facts: Any, code: str, score: int, engine: Engine = WEB) -> Draft:
    """The facts as changed for one indicator's score. Raises Stuck."""
    search = Search(engine, facts, engine.evaluate([facts]).scores[0].tolist())
    draft = search.blank.copy()
    reach(goal_of(code, score, engine), draft)
    return draft


def goal_of(code: str, score: int, engine: Engine = WEB) -> Goal:
    return next(goal for goal in plan_of(engine).goals[engine.codes.index(code)] if goal.score == score)


def changed(facts: Any, code: str, score: int, engine: Engine = WEB) -> dict[str, Any]:
    draft = drafted(facts, code, score, engine)
    return {path: draft.values[path] for path in draft.changed}


def planning(users: int, long_acting: int, unmet: int, **others: int) -> dict[str, Any]:
    made_up = family_planning(users=users, long_acting=long_acting, unmet=unmet)
    return made_up | {"non_users": made_up["non_users"] | others}


@given(villages)
@settings(deadline=None, max_examples=20)
def test_plain_arithmetic_gives_what_the_engine_gives(facts: dict[str, Any]) -> None:
    for engine in (WEB, shipped_rulesets()["web-2021-intended"], *(small_ruleset(seed) for seed in (1, 2))):
        _same_values(engine, facts)


@pytest.mark.parametrize("seed", range(12))
def test_plain_arithmetic_of_villages_that_add_up(seed: int) -> None:
    _same_values(small_ruleset(seed), village(seed, 0.3))


def _same_values(engine: Engine, facts: dict[str, Any]) -> None:
    evaluation = engine.evaluate([facts])
    search = Search(engine, facts, evaluation.scores[0].tolist())
    for place, compiled in enumerate(engine.indicators):
        if place not in search.blind:
            units = None if evaluation.missing[0, place] else int(evaluation.values[0, place])
            assert value_of(compiled.indicator.formula, search.blank.values) == units, compiled.indicator.code


class TestShares:
    def test_a_half_goes_to_even_in_double_arithmetic(self) -> None:
        facts = made(population=population(pus=1000), family_planning=planning(500, 500, 0))
        # 505 of 1000 are 50.5 %, which is rounded to 50; 506 are 50.6 %
        assert changed(facts, "output_cpr", 4)[f"{METHODS}.iud"] == 506

    @given(st.integers(1, 3000), st.integers(0, 3000), st.sampled_from([2, 3, 4]))
    @settings(deadline=None)
    def test_not_one_person_too_many(self, couples: int, users: int, score: int) -> None:
        facts = made(population=population(pus=couples), family_planning=planning(min(users, couples), 0, 0))
        goal = goal_of("output_cpr", score)
        before, after = min(users, couples), drafted(facts, "output_cpr", score)
        reached = sum(after.values[f"{METHODS}.{one}"] for one in facts["family_planning"]["methods"])
        formula: Any = goal.indicator.formula
        assert goal.is_met(percent(reached, couples, formula))
        assert reached == before or not goal.is_met(percent(reached - 1, couples, formula))

    def test_couples_with_unmet_need_are_won_first(self) -> None:
        facts = made(population=population(pus=100), family_planning=planning(30, 30, 15, wants_no_more=4))
        assert changed(facts, "output_cpr", 4) == {f"{METHODS}.iud": 51, LATER: 0, NO_MORE: 0}

    def test_nobody_is_counted_on_who_is_pregnant_or_wants_a_child_soon(self) -> None:
        full = planning(30, 30, 10, pregnant=20, wants_child_soon=40)
        with pytest.raises(Stuck) as stuck:
            drafted(made(population=population(pus=100), family_planning=full), "output_cpr", 4)
        assert (stuck.value.code, stuck.value.path) == ("too_few_people", "population.pus")
        assert changed(made(population=population(pus=100), family_planning=full), "output_cpr", 2) == {}

    def test_some_change_over_to_long_acting_methods(self) -> None:
        facts = made(population=population(pus=100), family_planning=planning(60, 10, 0))
        assert changed(facts, "output_mkjp", 4) == {f"{METHODS}.iud": 15, f"{METHODS}.injection": 45}

    def test_the_first_users_are_new_ones(self) -> None:
        facts = made(population=population(pus=100), family_planning=planning(0, 0, 0))
        assert changed(facts, "output_mkjp", 4) == {f"{METHODS}.iud": 1}

    def test_sterilisation_is_not_proposed(self) -> None:
        methods = dict.fromkeys(family_planning()["methods"], 0) | {"mow": 20, "mop": 5}
        facts = made(population=population(pus=100), family_planning=family_planning() | {"methods": methods})
        assert changed(facts, "output_cpr", 2) == {f"{METHODS}.iud": 5, LATER: 2}

    def test_fewer_with_unmet_need_are_more_users(self) -> None:
        facts = made(population=population(pus=100), family_planning=planning(40, 10, 27))
        assert changed(facts, "output_unmet", 4) == {LATER: 6, f"{METHODS}.iud": 31}

    def test_a_group_of_nobody(self) -> None:
        with pytest.raises(Stuck) as stuck:
            drafted(made(population=population(pus=0)), "output_cpr", 4)
        assert (stuck.value.code, stuck.value.path) == ("denominator_zero", "population.pus")

    def test_what_was_never_reported_is_supposed_as_small_as_it_can_be(self) -> None:
        facts = made(population=population(pus=None), family_planning=planning(110, 10, 30))
        assert changed(facts, "output_cpr", 4) == {"population.pus": 140}

    def test_a_part_above_its_whole_is_no_ground_for_a_path(self) -> None:
        facts = village(1, 0) | {"population": population(pus=10), "family_planning": planning(60, 10, 7)}
        facts["periods"] = dict.fromkeys(("profile", "population", "family_planning"), "2026-11")
        with pytest.raises(Stuck) as stuck:
            drafted(facts, "output_cpr", 4, shipped_rulesets()["kkb-2026"])
        assert stuck.value.code == "implausible"


class TestMeans:
    @given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=5, max_size=5), st.sampled_from([2, 3]))
    @settings(deadline=None, max_examples=25)
    def test_the_fewest_people(self, groups: list[tuple[int, int]], score: int) -> None:
        """Against every way to add participants, of groups small enough to try them all."""
        goal = goal_of("output_poktan", score)
        formula = goal.indicator.formula
        assert isinstance(formula, Mean)
        sizes = [whole.denominator.input for whole in formula.of]  # type: ignore[union-attr]
        taking = [part.numerator.input for part in formula.of]  # type: ignore[union-attr]
        values = {path: size for path, (size, _) in zip(sizes, groups, strict=True)}
        values |= {path: min(part, size) for path, (size, part) in zip(taking, groups, strict=True)}
        draft = Draft(dict(values), {})
        reach(goal, draft)
        added = sum(draft.values[path] - values[path] for path in taking)
        room = [min(values[whole] - values[part], 4) for whole, part in zip(sizes, taking, strict=True)]
        for more in itertools.product(*(range(one + 1) for one in room)):
            if sum(more) < added:
                tried = values | {path: values[path] + one for path, one in zip(taking, more, strict=True)}
                assert not goal.is_met(value_of(formula, tried))

    def test_a_part_without_a_group_is_left_out(self) -> None:
        none = {"families_with_under_fives": 0, "families": None}
        facts = made(population=population(**none), family_planning=family_planning(participation=0))
        done = changed(facts, "output_poktan", 3)
        assert "family_planning.poktan_participants.bkb" not in done
        assert "population.families" not in done

    def test_on_a_finer_grid(self) -> None:
        facts = village(2, 0)
        facts["periods"] = dict.fromkeys(("profile", "population", "family_planning"), "2026-11")
        engine = shipped_rulesets()["kkb-2026"]
        goal = goal_of("output_poktan", 3, engine)
        draft = drafted(facts, "output_poktan", 3, engine)
        assert goal.is_met(value_of(goal.indicator.formula, draft.values))


class TestAnswersAndChoices:
    def test_what_was_not_reported_comes_before_what_is_not_there(self) -> None:
        groups = dict.fromkeys(POKTAN, False) | {"bkl": None}
        facts = made(profile=profile(poktan=groups))
        assert changed(facts, "input_poktan", 2) == {"profile.poktan.bkl": True}

    def test_a_gate_opens_first(self) -> None:
        facts = made(profile=profile(pokja=False, pokja_members=None, pokja_trained=False))
        assert changed(facts, "input_pokja", 2) == {"profile.pokja": True}
        assert changed(facts, "input_pokja", 3) == {"profile.pokja": True, "profile.pokja_members": 1}

    def test_choices_are_added_to_those_that_are_there(self) -> None:
        assert changed(made(profile=profile(funds=1)), "input_sumber_dana", 4) == {
            "profile.funding_sources": FUNDING[:5]
        }

    def test_an_actor_counts_once_by_number_and_by_code(self) -> None:
        done = [{"actors": [30, "dinas-kesehatan", 26]}]
        planned = changed(made(interventions=done), "proses_lintas_sektor", 3)["interventions"]
        assert planned[0] == done[0]
        assert len(planned[1]["actors"]) == 1
        assert not {"puskesmas", "dinas-kesehatan", "opd-ppkb"} & set(planned[1]["actors"])

    def test_excluded_actors_are_not_proposed(self) -> None:
        engine = shipped_rulesets()["web-2021-intended"]
        planned = changed(made(interventions=[]), "proses_lintas_sektor", 4, engine)["interventions"]
        assert not {"opd-ppkb", "perwakilan-bkkbn"} & set(planned[0]["actors"])

    def test_a_population_figure_that_was_reported_stays(self) -> None:
        facts = made(population=population(pus=90), family_planning=planning(20, 20, 0))
        assert not [path for path in changed(facts, "output_cpr", 4) if path.startswith("population.")]


class TestWords:
    def told(self, facts: Any, code: str, score: int) -> Labels:
        """The action for one indicator, in words."""
        blank = Search(WEB, facts, WEB.evaluate([facts]).scores[0].tolist()).blank
        (one,) = Tried((), blank).with_goal(goal_of(code, score)).goals
        return action(WEB, Improvement(one.goal.place, 1, score, tuple(one.changes.values()), one.effort), [])

    def test_people_and_where_they_come_from(self) -> None:
        facts = made(population=population(pus=1000), family_planning=planning(400, 400, 100))
        told = self.told(facts, "output_cpr", 4)
        assert told.id == (
            "Tambah 106 peserta KB metode jangka panjang (IUD) (400 menjadi 506); "
            "dengan itu Ingin anak ditunda (IAT) 100 menjadi 0."
        )
        assert told.en == (
            "106 more users of long-acting methods (IUD) (400 to 506); with it Wants a child later (IAT) 100 to 0."
        )

    def test_fewer_people(self) -> None:
        facts = made(population=population(pus=2000), family_planning=planning(400, 400, 1100))
        told = self.told(facts, "output_unmet", 4)
        assert told.id.startswith("Kurangi 970 pasangan yang ingin anak ditunda (IAT) (1.100 menjadi 130); dengan itu")
        assert told.en.startswith("970 fewer couples who want a child later (IAT) (1,100 to 130); with it IUD users")

    def test_answers_given_and_not_given(self) -> None:
        told = self.told(made(profile=profile(secretariat=False, rumah_dataku=None)), "input_sarana", 3)
        assert told.id == "Adakan: Sekretariat; laporkan, atau adakan: Rumah DataKu."
        assert told.en == "Bring about: Secretariat; report, or bring about: Rumah DataKu (data house)."

    def test_a_figure_that_was_never_reported(self) -> None:
        facts = made(population=population(pus=None), family_planning=planning(60, 20, 7))
        assert self.told(facts, "output_cpr", 4).id == (
            "Laporkan untuk bulan ini: Pasangan usia subur (PUS) (diandaikan 100)."
        )

    def test_institutions(self) -> None:
        told = self.told(made(interventions=[{"actors": [1, 2, 3]}]), "proses_lintas_sektor", 3)
        assert told.id == "Libatkan 1 instansi lain dalam intervensi, misalnya Pusat Kesehatan Masyarakat."
        assert told.en == "1 more institutions to take part in interventions, for example Pusat Kesehatan Masyarakat."
