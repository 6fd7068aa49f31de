"""The path of a village over the API: stranger, wrong region, invalid, happy; and every path is what a what-if says."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import pytest

from kit.ids import uuid7
from tests.callers import STRANGER, caller
from tests.scoring.paths.made import village as made_village
from tests.scoring.rulesets.made_villages import family_planning, interventions, population, profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, take, village_event


async def asked(scoring: httpx.AsyncClient, village: Any, headers: Any = None, **params: str) -> httpx.Response:
    who = caller("reader") if headers is None else headers
    return await scoring.get(f"/assessments/{village}/path", params=params, headers=who)


async def told(scoring: httpx.AsyncClient, village: Any, **params: str) -> dict[str, Any]:
    answer = await asked(scoring, village, **params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def supposed(scoring: httpx.AsyncClient, village: Any, body: Any) -> dict[str, Any]:
    answer = await scoring.post(f"/assessments/{village}/what-if", json=body, headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestGetPath:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, "33.26.01.2001", STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, "33.26.01.2001", caller("operator"))).status_code == 403

    async def test_wrong_region_looks_like_absent(self, scoring: httpx.AsyncClient) -> None:
        for reference in await known_village(scoring):
            answer = await asked(scoring, reference, caller("reader", region="98.02"))
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:village-unknown")

    async def test_unknown(self, scoring: httpx.AsyncClient) -> None:
        assert (await asked(scoring, uuid7())).status_code == 404
        _, number = await known_village(scoring)
        answer = await asked(scoring, number, ruleset="web-2020")
        assert answer.json()["type"] == "urn:kampungkb:problem:ruleset-unknown"

    @pytest.mark.parametrize(("name", "value"), [("to", "paripurna"), ("too", "mandiri")])
    async def test_invalid(self, scoring: httpx.AsyncClient, name: str, value: str) -> None:
        _, number = await known_village(scoring)
        answer = await asked(scoring, number, **{name: value})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"query:{name}")

    async def test_the_highest_class_has_no_next_one(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        answer = await told(scoring, number)
        assert (answer["status"], answer["class"], answer["to"]) == ("highest", "berkelanjutan", None)
        assert (answer["actions"], answer["then"], answer["suppose"]) == ([], None, None)
        assert answer["text"]["id"] == "Sudah di kelas tertinggi: Berkelanjutan."

    async def test_a_class_that_is_no_higher(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        for to in ("mandiri", "berkelanjutan"):
            answer = await told(scoring, number, to=to)
            assert (answer["status"], answer["to"], answer["actions"]) == ("reached", to, [])

    async def test_happy_the_next_class_as_actions(self, scoring: httpx.AsyncClient) -> None:
        facts = made_facts(profile=profile(funds=0, groups=2))
        _, number = await known_village(scoring, facts)
        answer = await told(scoring, number)
        assert (answer["class"], answer["to"], answer["status"], answer["proven"]) == (
            "mandiri",
            "berkelanjutan",
            "found",
            True,
        )
        (one,) = answer["actions"]
        assert (one["indicator"], one["score_now"], one["score_then"]) == ("input_sumber_dana", 1, 3)
        assert (one["value_now"], one["value_needed"]) == ("0", "2")
        assert one["text"] == {
            "id": "Tambah 2 sumber dana, misalnya APBN, APBD.",
            "en": "2 more funding sources, for example State budget (APBN), Local budget (APBD).",
        }
        assert (answer["improvements"], answer["steps"], answer["effort"]) == (1, 2, "2.00")
        assert "7-07" in one["kegiatan"]
        assert "pemerintah-desa-kelurahan" in one["actors"]
        assert answer["then"]["class"] == "berkelanjutan"

    @pytest.mark.parametrize("ruleset", ["web-2021", "web-2021-intended", "kkb-2026"])
    @pytest.mark.parametrize("seed", range(3))
    async def test_a_what_if_of_the_path_gives_the_class(
        self, scoring: httpx.AsyncClient, ruleset: str, seed: int
    ) -> None:
        _, number = await known_village(scoring, made_village(seed, 0.3))
        answer = await told(scoring, number, to="berkelanjutan", ruleset=ruleset)
        if answer["status"] == "unreachable":
            assert answer["because"]
            return
        found = await supposed(scoring, number, answer["suppose"])
        assert found["after"] == answer["then"]
        assert found["after"]["class"] == "berkelanjutan"
        scores = {one["code"]: one["after"]["score"] for one in found["indicators"]}
        for one in answer["actions"]:
            assert scores.get(one["indicator"], one["score_now"]) == one["score_then"]
            alone = await supposed(scoring, number, one["suppose"])
            assert {change["input"] for change in alone["inputs"]} <= {change["input"] for change in one["changes"]}

    async def test_a_village_without_any_report(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        await take(scoring, village_event(code, number))
        answer = await told(scoring, number, ruleset="web-2021-intended")
        assert (answer["class"], answer["to"], answer["status"]) == (None, "dasar", "found")
        assert answer["reports"] == ["profile", "population", "family_planning"]
        assert any("Laporkan profil untuk bulan ini" in one["text"]["id"] for one in answer["actions"])
        assert any(change["assumed"] for one in answer["actions"] for change in one["changes"])
        assert (await supposed(scoring, number, answer["suppose"]))["after"] == answer["then"]

    async def test_what_cannot_be_reached_says_why(self, scoring: httpx.AsyncClient) -> None:
        none = dict.fromkeys(population(), 0)
        facts = made_facts(population=none, family_planning=family_planning(users=0, long_acting=0, unmet=0))
        facts["interventions"] = interventions(0)
        _, number = await known_village(scoring, facts)
        answer = await told(scoring, number, to="berkelanjutan")
        assert (answer["status"], answer["suppose"]) == ("unreachable", None)
        (because,) = answer["because"]
        assert (because["dimension"], because["threshold"]) == ("output", "3.00")
        assert "Pasangan usia subur (PUS) dilaporkan 0" in because["text"]["id"]
        codes = {one["indicator"]: one["code"] for one in because["indicators"]}
        assert codes["output_cpr"] == "denominator_zero"
        assert answer["text"]["id"].startswith("Berkelanjutan tidak dapat dicapai. Indeks Output paling tinggi")

    async def test_side_effects_are_named(self, scoring: httpx.AsyncClient) -> None:
        planning = family_planning(participation=31, users=20, long_acting=0, unmet=30)
        facts = copy.deepcopy(made_facts(family_planning=planning))
        _, number = await known_village(scoring, facts)
        answer = await told(scoring, number)
        assert answer["status"] == "found"
        worked_on = {one["indicator"] for one in answer["actions"]}
        effects = {one["indicator"] for one in answer["side_effects"]}
        assert not worked_on & effects
        assert {"output_cpr", "output_mkjp", "output_unmet"} & effects

    async def test_simulated_data_are_marked(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring, made_village(3), simulated=True)
        assert (await told(scoring, number))["simulated"] is True

    async def test_replay(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring, made_village(5))
        assert await told(scoring, number) == await told(scoring, number)
