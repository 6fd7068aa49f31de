"""`web-2021-intended`: `web-2021` with its two evident slips mended, and nothing else."""

from __future__ import annotations

import copy
import gzip
import json
from typing import Any

import pytest

from services.scoring.rulesets.document import Ruleset
from services.scoring.rulesets.library import shipped_rulesets
from tests.conftest import REPOSITORY, SHARED
from tests.scoring.rulesets.made_villages import village

CASES = SHARED / "parity" / "web-2021.jsonl.gz"
OWN_AGENCIES = {26, 34, "opd-ppkb", "perwakilan-bkkbn"}
MENDED = {"requires", "when_missing", "note"}
"""What of an indicator may differ from `web-2021`; formulas are compared apart."""
RESTS_ON = {
    "input": {"profile"},
    "proses": {"profile"},
    "output_poktan": {"population", "family_planning"},
    "output_cpr": {"population", "family_planning"},
    "output_mkjp": {"family_planning"},
    "output_unmet": {"population", "family_planning"},
}


def ruleset(number: str) -> Ruleset:
    return shipped_rulesets()[number].ruleset


def scores(facts: dict[str, Any]) -> dict[str, Any]:
    return shipped_rulesets()["web-2021-intended"].evaluate([facts]).summary_of(0)


def rests_on(code: str) -> set[str]:
    """The reports without which an indicator is not assessed."""
    return set() if code == "proses_lintas_sektor" else RESTS_ON.get(code) or RESTS_ON[code.partition("_")[0]]


def test_what_was_mended_and_nothing_else() -> None:
    """Formulas differ only in who is excluded and in what a denominator that was not reported does."""
    deployed, intended = ruleset("web-2021").as_json(), ruleset("web-2021-intended").as_json()
    for name in ("classes", "dimensions", "inputs", "class_matrix"):
        assert deployed[name] == intended[name]
    for old, new in zip(deployed["indicators"], intended["indicators"], strict=True):
        formulas = [copy.deepcopy(one.pop("formula")) for one in (old, new)]
        for formula in formulas:
            formula.pop("exclude_actors", None)
            formula.pop("denominator_missing", None)
        assert formulas[0] == formulas[1]
        different = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        assert different <= MENDED
        assert set(new["requires"]) == rests_on(new["code"])


def test_excluded_are_the_agencies_that_the_actor_list_calls_the_programmes_own() -> None:
    actors = json.loads((REPOSITORY / "services/interventions/actors/actors.json").read_bytes())["actors"]
    own = [actor for actor in actors if actor["programme_own"]]
    assert {actor["code"] for actor in own} | {actor["web_kkb_number"] for actor in own} == OWN_AGENCIES
    formula = ruleset("web-2021-intended").as_json()["indicators"][7]["formula"]
    assert set(formula["exclude_actors"]) == OWN_AGENCIES


@pytest.mark.parametrize("actor", sorted(OWN_AGENCIES, key=str))
def test_the_programmes_own_agencies_are_no_other_sector(actor: int | str) -> None:
    alone = village() | {"interventions": [{"actors": [actor]}]}
    with_another = village() | {"interventions": [{"actors": [actor, "dinas-kesehatan"]}]}
    assert scores(alone)["proses_lintas_sektor"] == 1
    assert scores(with_another)["proses_lintas_sektor"] == 2


@pytest.mark.parametrize("kind", ["profile", "population", "family_planning"])
@pytest.mark.parametrize("how", ["null", "left out"])
def test_what_was_never_reported_is_not_assessed(kind: str, how: str) -> None:
    facts = village() | {kind: None}
    if how == "left out":
        del facts[kind]
    found = scores(facts)
    for code in shipped_rulesets()["web-2021-intended"].codes:
        assert (found[code] is None) == (kind in rests_on(code)), code
    assert found["class"] is None


@pytest.mark.parametrize("code", ["output_cpr", "output_unmet"])
def test_pus_not_reported_is_nothing_to_divide_by_and_reported_as_none_it_is_as_deployed(code: str) -> None:
    blank, none = village(), village()
    blank["population"] = blank["population"] | {"pus": None}
    none["population"] = none["population"] | {"pus": 0}
    assert scores(blank)[code] is None
    assert scores(none)[code] == shipped_rulesets()["web-2021"].evaluate([none]).summary_of(0)[code]


@pytest.mark.skipif(not CASES.exists(), reason="the parity cases are not part of the repository")
def test_where_nothing_is_to_mend_it_gives_what_the_predecessor_gave() -> None:
    with gzip.open(CASES, "rt") as lines:
        cases = [json.loads(line) for line in lines]
    compared = 0
    for case in cases:
        took_part = {actor for done in case["interventions"] or () for actor in done["actors"]}
        whole = all(case[kind] is not None for kind in ("profile", "population", "family_planning"))
        pus = (case["population"] or {}).get("pus")
        if not whole or took_part & OWN_AGENCIES or pus is None:
            continue
        found, compared = scores(case), compared + 1
        assessed = {code: score for code, score in found.items() if score is not None}
        assert assessed.items() <= case["expected"].items(), case["id"]
        assert found.keys() == case["expected"].keys()
    assert compared > 20
