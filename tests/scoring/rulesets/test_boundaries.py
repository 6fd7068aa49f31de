"""A ruleset's own cases: on every edge, always the same, and any moved edge is noticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from services.scoring.rulesets.boundaries import boundary_cases
from services.scoring.rulesets.document import Ruleset
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.schemas import VillageFactsIn

IDS = ["web-2021", "web-2021-intended", "kkb-2026"]
CASES = {number: boundary_cases(shipped_rulesets()[number]) for number in IDS}


def failed(document: dict[str, Any], number: str, code: str = "") -> list[str]:
    """Cases of a ruleset (of one indicator) that an engine for the document does not give.

    The document need not pass its checks.
    """
    engine = Engine(Ruleset.parse(json.dumps(document).encode()))
    cases = [case for case in CASES[number] if case["id"].startswith(code)]
    evaluation = engine.evaluate(cases)
    return [case["id"] for row, case in enumerate(cases) if evaluation.summary_of(row) != case["expected"]]


def moved_edges(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, indicator in enumerate(document["indicators"]):
        unit = Decimal(1).scaleb(-indicator["formula"].get("rounding", {"decimals": 0})["decimals"])
        for seam, (lower, upper) in enumerate(pairwise(indicator["bands"])):
            for step in (unit, -unit):
                changed = copy.deepcopy(document)
                bands = changed["indicators"][place]["bands"]
                bands[seam]["to"] = str(Decimal(lower["to"]) + step)
                bands[seam + 1]["from"] = str(Decimal(upper["from"]) + step)
                yield indicator["code"], changed


@pytest.mark.parametrize("number", IDS)
class TestBoundaryCases:
    def test_the_engine_gives_them_and_they_are_always_the_same(self, number: str) -> None:
        engine = shipped_rulesets()[number]
        assert failed(engine.ruleset.as_json(), number) == []
        assert boundary_cases(Engine(engine.ruleset)) == CASES[number]

    def test_they_have_the_shape_of_the_parity_cases(self, number: str) -> None:
        names = [case["id"] for case in CASES[number]]
        assert len(set(names)) == len(names)
        for case in json.loads(json.dumps(CASES[number])):
            facts = {name: value for name, value in case.items() if name not in {"id", "expected"}}
            VillageFactsIn.model_validate(facts)
        assert json.loads(json.dumps(CASES[number])) == CASES[number]

    def test_a_band_edge_moved_by_one_unit_fails(self, number: str) -> None:
        tried = 0
        for code, changed in moved_edges(shipped_rulesets()[number].ruleset.as_json()):
            assert failed(changed, number, code), code
            tried += 1
        assert tried >= 60

    def test_a_threshold_moved_by_one_step_of_the_index_fails(self, number: str) -> None:
        document = shipped_rulesets()[number].ruleset.as_json()
        for place, dimension in enumerate(document["dimensions"]):
            for threshold in ("3.01", "2.60"):
                changed = copy.deepcopy(document)
                changed["dimensions"][place]["threshold"] = threshold
                assert failed(changed, number), (dimension["code"], threshold)

    def test_every_class_and_every_combination_is_there(self, number: str) -> None:
        engine = shipped_rulesets()[number]
        combinations = {case["id"]: case["expected"]["class"] for case in CASES[number] if "terpenuhi:" in case["id"]}
        wanted = [row.village_class.value for row in engine.ruleset.class_matrix]
        assert list(combinations.values()) == wanted
        for dimension in engine.ruleset.dimensions:
            exact = [one for one in CASES[number] if one["id"].startswith(f"indeks {dimension.code}: ambang tercapai")]
            assert [one["expected"][f"index_{dimension.code}"] for one in exact] == ["3.00"]


def test_a_changed_policy_fails() -> None:
    """Every policy, wherever it stands in the document, one at a time."""
    document = shipped_rulesets()["kkb-2026"].ruleset.as_json()
    unnoticed = []
    for pointer in _policies(document["indicators"], ""):
        changed = copy.deepcopy(document)
        inner: Any = changed["indicators"]
        *way, name = pointer[1:].split("/")
        for part in way:
            inner = inner[int(part) if isinstance(inner, list) else part]
        if name == "implausible":
            del inner[name]
        else:
            inner[name] = "zero"
        code = document["indicators"][int(way[0])]["code"]
        if not failed(changed, "kkb-2026", code):
            unnoticed.append((code, name))
    # Long-acting users are among all users: what the part lacks the whole lacks too, and it never exceeds it.
    assert unnoticed == [("output_mkjp", name) for name in ("missing", "numerator_missing", "implausible")]


def _policies(node: Any, pointer: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, str) and value in {"zero", "propagate", "skip"}:
                yield f"{pointer}/{name}"
            else:
                yield from _policies(value, f"{pointer}/{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _policies(value, f"{pointer}/{place}")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda d: d["indicators"][7]["formula"].update(window_months=11), "intervensi pada hari pertama"),
        (lambda d: d["indicators"][7]["formula"].update(window_months=13), "di luar jangka waktu"),
        (lambda d: d["indicators"][7]["formula"].update(exclude_actors=[26, 34, "opd-ppkb"]), "tidak dihitung"),
        (lambda d: d["freshness"][2].update(max_age_months=2), "di batas umur"),
        (lambda d: d["freshness"][2].update(max_age_months=4), "terlalu lama"),
        (lambda d: d["indicators"][11]["formula"]["rounding"].update(mode="half_even"), "setengah di bawah"),
        (lambda d: d["indicators"][8]["formula"]["rounding"].update(mode="half_even"), "setengah di bawah"),
    ],
)
def test_what_looks_at_time_and_rounding_is_covered(change: Any, name: str) -> None:
    document = shipped_rulesets()["kkb-2026"].ruleset.as_json()
    change(document)
    found = failed(document, "kkb-2026")
    assert any(name in one for one in found), found
