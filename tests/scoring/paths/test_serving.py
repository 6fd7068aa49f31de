"""What serves a fact: its codes exist in the catalogue and in the list of actors, and nothing is left without."""

from __future__ import annotations

import json

from services.scoring.paths import serving
from services.scoring.rulesets.inputs import fact_inputs
from services.scoring.rulesets.library import shipped_rulesets
from tests.conftest import REPOSITORY

ROOM = REPOSITORY / "services/scoring/paths/serving.json"
INTERVENTIONS = REPOSITORY / "services/interventions"
DOCUMENT = json.loads(ROOM.read_bytes())


def kegiatan() -> set[str]:
    catalogue = json.loads((INTERVENTIONS / "catalogue/inpres.json").read_bytes())
    programmes = [programme for sasaran in catalogue["sasaran"] for programme in sasaran["programmes"]]
    return {one["code"] for programme in programmes for one in programme["kegiatan"]}


def actors() -> dict[str, dict[str, object]]:
    listed = json.loads((INTERVENTIONS / "actors/actors.json").read_bytes())["actors"]
    return {one["code"]: one for one in listed}


def test_activities_and_actors_exist() -> None:
    for served in DOCUMENT["inputs"].values():
        assert served["kegiatan"]
        assert set(served["kegiatan"]) <= kegiatan()
        assert served["actors"]
        assert set(served["actors"]) <= actors().keys()


def test_actors_are_those_of_the_list_but_for_the_one_that_is_no_kind() -> None:
    listed = {code: (one["web_kkb_number"], one["name"]) for code, one in actors().items() if code != "lainnya"}
    assert {one.code: (one.number, one.name) for one in serving.ACTORS} == listed


def test_facts_exist_and_every_input_of_the_shipped_rulesets_is_served() -> None:
    known = {*fact_inputs(), "profile", "population", "family_planning"}
    assert DOCUMENT["inputs"].keys() <= known
    assert DOCUMENT["people"].keys() <= known
    for engine in shipped_rulesets().values():
        for path in engine.paths:
            assert serving.serving([path]).kegiatan


def test_codes_are_named_once_nearest_first() -> None:
    found = serving.serving(["profile.poktan.bkb", "profile.poktan.bkl", "profile.poktan.bkb"])
    assert found.kegiatan == ("2-03", "2-05")
    assert found.actors == ("opd-ppkb", "puskesmas", "lembaga-pendidikan", "dinas-sosial")


def test_it_says_that_it_is_a_suggestion() -> None:
    assert DOCUMENT["provenance"]["certainty"] == "inferred"
