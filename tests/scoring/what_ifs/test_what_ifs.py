"""What a village would be classed as: stranger, wrong region, invalid, happy, replay; and nothing is stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from kit.ids import uuid7
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.what_ifs.rules import not_asked, redated, suppose
from tests.callers import STRANGER, caller
from tests.conftest import app_of
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, take, village_event


async def asked(
    scoring: httpx.AsyncClient, village: Any, body: Any, headers: dict[str, str] | None = None
) -> httpx.Response:
    url = f"/assessments/{village}/what-if"
    return await scoring.post(url, json=body, headers=caller("reader") if headers is None else headers)


async def told(scoring: httpx.AsyncClient, village: Any, **body: Any) -> dict[str, Any]:
    answer = await asked(scoring, village, body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestAskWhatIf:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, "33.26.01.2001", {}, STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, "33.26.01.2001", {}, caller("operator"))).status_code == 403

    async def test_wrong_region_looks_like_absent(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        for reference in (code, number):
            answer = await asked(scoring, reference, {}, caller("reader", region="98.02"))
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:village-unknown")

    async def test_unknown(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, uuid7(), {})).status_code == 404
        _, number = await known_village(scoring)
        answer = await asked(scoring, number, {"ruleset": "web-2020"})
        assert answer.json()["type"] == "urn:kampungkb:problem:ruleset-unknown"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"fact": {}}, "#/fact"),
            ({"facts": {"profile": {"pokjaa": True}}}, "#/facts/profile/pokjaa"),
            ({"facts": {"population": {"pus": -1}}}, "#/facts/population/pus"),
            ({"facts": {"profile": {"funding_sources": ["apbn", "apbn"]}}}, "#/facts/profile/funding_sources"),
            ({"interventions": [{"actors": []}]}, "#/interventions/0/actors"),
            ({"interventions": [{"actors": ["media"], "date": "kemarin"}]}, "#/interventions/0/date"),
            ({"as_of": "2025-02-30"}, "#/as_of"),
            ({"interventions": [{"actors": ["Dinas Kesehatan"]}]}, "#/interventions/0/actors/0"),
        ],
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
        _, number = await known_village(scoring)
        answer = await asked(scoring, number, body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_happy_what_changes_and_what_does_it(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        facts = {"profile": {"secretariat": False, "poktan": {"bkl": None}}, "population": {"pus": 200}}
        answer = await told(scoring, number, facts=facts)
        assert (answer["supposed"], answer["simulated"], answer["not_asked"]) == (True, False, [])
        assert (answer["before"]["class"], answer["after"]["class"]) == ("berkelanjutan", "berkelanjutan")
        assert {one["input"]: (one["before"], one["after"]) for one in answer["inputs"]} == {
            "profile.poktan.bkl": (True, None),
            "profile.secretariat": (True, False),
            "population.pus": (100, 200),
        }
        changed = {one["code"]: (one["before"]["score"], one["after"]["score"]) for one in answer["indicators"]}
        assert changed == {
            "input_poktan": (4, 3),
            "input_sarana": (3, 2),
            "output_cpr": (4, 2),
            "output_unmet": (3, 4),
        }
        assert answer["after"]["completeness"]["answered"] == answer["before"]["completeness"]["answered"] - 1
        assert "200" in next(one for one in answer["indicators"] if one["code"] == "output_cpr")["after"]["formula"]

    async def test_happy_a_report_that_had_never_been_made(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        await take(scoring, village_event(code, number))
        made = made_facts()
        facts = {kind: made[kind] for kind in ("profile", "population", "family_planning")}
        planned = [{"actors": ["dinas-kesehatan", "dinas-sosial"]}, {"actors": ["media", "dinas-kesehatan"]}]
        answer = await told(scoring, number, facts=facts, interventions=planned)
        assert (answer["before"]["class"], answer["after"]["class"]) == ("dasar", "berkelanjutan")
        assert answer["after"]["scores"]["proses_lintas_sektor"] == 2
        done = next(one for one in answer["inputs"] if one["input"] == "interventions")
        assert (done["before"], done["after"]) == (0, 2)

    async def test_happy_as_if_a_report_had_not_been_made_under_another_ruleset(
        self, scoring: httpx.AsyncClient
    ) -> None:
        _, number = await known_village(scoring)
        answer = await told(scoring, number, facts={"population": None}, ruleset="web-2021-intended")
        assert answer["ruleset"]["id"] == "web-2021-intended"
        assert answer["before"]["class"] is not None
        assert (answer["after"]["class"], answer["after"]["indexes"]["output"]) == (None, None)
        assert answer["after"]["scores"]["output_cpr"] is None

    async def test_an_actor_that_took_part_already_counts_once(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring, made_facts(interventions=[{"actors": [19, 20, 30]}]))
        again = [{"actors": ["dinas-kesehatan", "dinas-sosial", "puskesmas"]}]
        answer = await told(scoring, number, interventions=again)
        assert answer["after"]["scores"] == answer["before"]["scores"]
        answer = await told(scoring, number, interventions=[{"actors": ["dinas-kesehatan", "media"]}])
        assert answer["after"]["scores"]["proses_lintas_sektor"] == 3

    async def test_what_the_ruleset_does_not_look_at_is_said(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        answer = await told(scoring, number, facts={"profile": {"work_plan": True}})
        assert answer["not_asked"] == ["profile.work_plan"]
        assert answer["before"] == answer["after"]
        assert answer["indicators"] == answer["inputs"] == []

    async def test_happy_on_another_day_under_a_ruleset_that_looks_at_time(self, scoring: httpx.AsyncClient) -> None:
        """Reported in September 2025: in time that month, too old a year later, unless it is reported anew."""
        _, number = await known_village(scoring)
        then = await told(scoring, number, ruleset="kkb-2026", as_of="2025-09-30")
        assert then["before"]["class"] == "berkelanjutan"
        later = await told(scoring, number, ruleset="kkb-2026", as_of="2026-12-31")
        assert later["before"]["class"] is None
        assert set(later["before"]["scores"].values()) == {None, 1}  # and no intervention of the last twelve months
        anew = {"facts": {"population": {"pus": 100}}, "ruleset": "kkb-2026", "as_of": "2026-01-31"}
        found = await told(scoring, number, **anew)
        assert found["indicators"] == []
        assert found["before"]["scores"]["output_cpr"] is None  # family planning is four months old
        made = made_facts()
        facts = {kind: made[kind] for kind in ("profile", "population", "family_planning")}
        found = await told(scoring, number, facts=facts, ruleset="kkb-2026", as_of="2026-12-31")
        assert found["after"]["scores"]["output_cpr"] == 4
        changed = next(one for one in found["indicators"] if one["code"] == "output_cpr")
        assert changed["before"]["reasons"] == ["report_too_old", "report_too_old"]
        assert changed["after"]["reasons"] == []

    async def test_replay_and_nothing_is_stored(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)

        async def stored() -> list[Any]:
            async with app_of(scoring).state.database.transaction() as session:
                tables = ("villages", "reported_facts", "interventions", "assessments", "outbox")
                rows = "to_jsonb(t) - 'position'"  # the relay places events meanwhile
                union = " UNION ALL ".join(
                    f"SELECT md5(({rows})::text) FROM {one} t WHERE t::text ~ :id" for one in tables
                )
                return sorted((await session.execute(sa.text(union), {"id": str(number)})).scalars())

        before = await stored()
        body = {"facts": {"profile": None}, "interventions": [{"actors": ["media"]}]}
        assert await told(scoring, number, **body) == await told(scoring, number, **body)
        assert await stored() == before

    async def test_supposing_what_is_changes_nothing(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        made = made_facts()
        answer = await told(scoring, number, facts={"population": made["population"]})
        assert answer["before"] == answer["after"]
        detail = (await scoring.get(f"/assessments/{number}", headers=caller("reader"))).json()
        assert answer["before"]["class"] == detail["class"]
        assert answer["before"]["indexes"] == {one["code"]: one["index"] for one in detail["dimensions"]}


leaves = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.lists(st.sampled_from("abc"), max_size=2))
trees = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3), max_leaves=8)
facts = st.dictionaries(st.sampled_from("xyz"), trees, max_size=3)


class TestRedated:
    PATHS = ("population.pus", "population.families", "profile.pokja", "interventions")

    def test_what_is_supposed_is_of_this_month_and_the_rest_keeps_its_own(self) -> None:
        own = {"population": "2024-01", "profile": "2023-05"}
        assert redated(own, {"population": {"pus": 1}}, self.PATHS, "2026-06") == {
            "population": "2026-06",
            "population.pus": "2026-06",
            "population.families": "2024-01",
            "profile": "2023-05",
        }

    def test_a_report_that_was_never_made(self) -> None:
        assert redated({}, {"population": {"pus": 1}}, self.PATHS, "2026-06") == {
            "population": "2026-06",
            "population.pus": "2026-06",
        }

    def test_nothing_supposed(self) -> None:
        assert redated({"population": "2024-01"}, {}, self.PATHS, "2026-06") == {"population": "2024-01"}


class TestSuppose:
    @given(facts)
    def test_nothing_supposed_changes_nothing(self, own: dict[str, Any]) -> None:
        assert suppose(own, {}) == own

    @given(facts, facts)
    def test_again_changes_nothing_more(self, own: dict[str, Any], supposed: dict[str, Any]) -> None:
        once = suppose(own, supposed)
        assert suppose(once, supposed) == once

    @given(facts, facts)
    def test_what_is_not_named_stays(self, own: dict[str, Any], supposed: dict[str, Any]) -> None:
        changed = suppose(own, supposed)
        assert all(changed[name] == own[name] for name in own.keys() - supposed.keys())
        assert changed.keys() == own.keys() | supposed.keys()

    def test_the_facts_themselves_are_not_touched(self) -> None:
        own = {"profile": {"poktan": {"bkb": True}}}
        assert suppose(own, {"profile": {"poktan": {"bkr": False}}}) == {
            "profile": {"poktan": {"bkb": True, "bkr": False}}
        }
        assert own == {"profile": {"poktan": {"bkb": True}}}

    def test_a_group_that_is_asked_for_in_part_is_asked_for(self) -> None:
        paths = shipped_rulesets()["web-2021"].paths
        supposed = {"profile": {"poktan": None, "work_plan": True}, "population": None}
        assert not_asked(supposed, paths) == ["profile.work_plan"]
