"""The engine itself: batches, rounding, missing-value policies, with rulesets other than the published one."""

from __future__ import annotations

import copy
import json
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import RoundingMode
from services.scoring.rulesets.engine import Engine, rounded_quotient
from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.rulesets.made_villages import (
    DATA,
    FUNDING,
    MECHANISMS,
    POKTAN,
    family_planning,
    interventions,
    population,
    village,
)

RAW: dict[str, Any] = json.loads(files("services.scoring.rulesets").joinpath("web_2021.json").read_bytes())

answers = st.none() | st.booleans()
counts = st.none() | st.integers(0, 400) | st.just(2_147_483_647)


def group(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


def choices(codes: list[str]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(st.sampled_from(codes), max_size=6)


villages = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "pokja": answers,
                "pokja_members": counts,
                "pokja_trained": answers,
                "plkb_companion": answers,
                "local_regulation": answers,
                "funding_sources": choices(FUNDING),
                "poktan": group(POKTAN, answers),
                "secretariat": answers,
                "rumah_dataku": answers,
                "data_use": choices(DATA),
                "mechanisms": group(MECHANISMS, answers),
            },
        ),
        "population": group(list(population()), counts),
        "family_planning": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "poktan_participants": group(POKTAN, counts),
                "methods": group(list(family_planning()["methods"]), counts),
                "non_users": group(list(family_planning()["non_users"]), counts),
                "unmet_need": counts,
            },
        ),
        "interventions": st.none()
        | st.lists(st.fixed_dictionaries({"actors": st.none() | st.lists(st.integers(1, 37))}), max_size=5),
    },
)


@given(st.lists(villages, min_size=1, max_size=8))
@settings(deadline=None, max_examples=50)
def test_a_batch_of_one_gives_the_same_as_a_batch_of_many(batch: list[dict[str, Any]]) -> None:
    engine = shipped_rulesets()["web-2021"]
    together = engine.evaluate(batch)
    for row, facts in enumerate(batch):
        alone = engine.evaluate([facts])
        assert alone.summary_of(0) == together.summary_of(row)
        assert alone.answered[0] == together.answered[row]
        assert (alone.values[0] == together.values[row]).all()
        assert (alone.missing[0] == together.missing[row]).all()


@given(villages)
@settings(deadline=None)
def test_every_village_gets_twelve_scores_three_indexes_and_a_class(facts: dict[str, Any]) -> None:
    summary = shipped_rulesets()["web-2021"].evaluate([facts]).summary_of(0)
    scores = {code: value for code, value in summary.items() if code not in summary.keys() - _codes()}
    assert set(scores.values()) <= {1, 2, 3, 4}
    assert len(scores) == 12
    assert all(Decimal(1) <= Decimal(summary[f"index_{name}"]) <= Decimal(4) for name in ("input", "proses", "output"))
    assert summary["class"] in {"dasar", "berkembang", "mandiri", "berkelanjutan"}


def _codes() -> set[str]:
    return {indicator["code"] for indicator in RAW["indicators"]}


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
@settings(deadline=None)
def test_quotients_are_rounded_exactly(numerator: int, divisor: int) -> None:
    exact = Decimal(numerator) / Decimal(divisor)
    up, even = (
        int(rounded_quotient(np.array([numerator]), np.array([divisor]), mode)[0])
        for mode in (RoundingMode.HALF_UP, RoundingMode.HALF_EVEN)
    )
    assert even == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
    if numerator >= 0:
        assert up == int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def test_no_villages_at_all() -> None:
    assert len(shipped_rulesets()["web-2021"].evaluate([])) == 0


def changed(code: str, **fields: Any) -> Engine:
    """An engine for `web-2021` with one indicator changed."""
    document = copy.deepcopy(RAW)
    next(one for one in document["indicators"] if one["code"] == code).update(fields)
    return Engine(read_ruleset(json.dumps(document).encode()))


def formula(code: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(next(one for one in RAW["indicators"] if one["code"] == code)["formula"])
    return found | fields


def test_excluded_actors_are_data() -> None:
    engine = changed("proses_lintas_sektor", formula=formula("proses_lintas_sektor", exclude_actors=[26, 34]))
    facts = village(interventions=[{"actors": [26, 34, 1]}, {"actors": [34]}])
    assert engine.evaluate([facts]).scores_of(0)["proses_lintas_sektor"] == 2
    assert engine.evaluate([village(interventions=[{"actors": [26, 34]}])]).scores_of(0)["proses_lintas_sektor"] == 1


class TestNotAssessable:
    @pytest.fixture
    def engine(self) -> Engine:
        return changed(
            "output_unmet",
            formula=formula("output_unmet", denominator_missing="propagate", denominator_zero="propagate"),
            when_missing="not_assessable",
        )

    @pytest.mark.parametrize("pus", [0, None])
    def test_no_denominator_no_score_no_index_no_class(self, engine: Engine, pus: int | None) -> None:
        evaluation = engine.evaluate([village(population=population(pus=pus)), village()])
        assert evaluation.scores_of(0)["output_unmet"] is None
        assert evaluation.indexes_of(0) == {"input": "3.40", "proses": "3.33", "output": None}
        assert evaluation.village_class(0) is None
        assert evaluation.village_class(1) == "berkelanjutan"

    def test_left_out_where_the_dimension_says_so(self) -> None:
        document = copy.deepcopy(RAW)
        document["dimensions"][2]["when_not_assessable"] = "skip"
        unmet = document["indicators"][-1]
        unmet["formula"]["denominator_zero"] = "propagate"
        unmet["when_missing"] = "not_assessable"
        engine = Engine(read_ruleset(json.dumps(document).encode()))
        evaluation = engine.evaluate([village(population=population(pus=0))])
        assert evaluation.indexes_of(0)["output"] == "3.00"  # 4 + 1 + 4 over three


def test_weights_are_exact() -> None:
    engine = changed("output_unmet", weight="0.5")
    # (4 + 4 + 4 + 0.5 x 3) / 3.5 = 3.857...
    assert engine.evaluate([village()]).indexes_of(0)["output"] == "3.86"


def test_exact_arithmetic_with_decimals() -> None:
    exact = formula("output_cpr", arithmetic="exact", rounding={"mode": "half_up", "decimals": 1})
    bands = [{"score": 1, "from": None, "to": "29.9"}, {"score": 2, "from": "30.0", "to": None}]
    engine = changed("output_cpr", formula=exact, bands=bands)
    # 599 of 2000 = 29.95 %, half up 30.0
    facts = village(population=population(pus=2000), family_planning=family_planning(users=599))
    assert engine.evaluate([facts]).scores_of(0)["output_cpr"] == 2
    facts = village(population=population(pus=2000), family_planning=family_planning(users=598))
    assert engine.evaluate([facts]).scores_of(0)["output_cpr"] == 1


@pytest.mark.parametrize(("policy", "expected"), [("zero", 20), ("skip", 50), ("propagate", None)])
def test_a_mean_with_missing_parts(policy: str, expected: int | None) -> None:
    parts = [part | {"numerator_missing": "propagate"} for part in formula("output_poktan")["of"]]
    engine = changed("output_poktan", formula=formula("output_poktan", of=parts, missing=policy))
    reported = family_planning() | {"poktan_participants": {"bkb": 40, "bkr": 60}}
    evaluation = engine.evaluate([village(family_planning=reported, interventions=interventions(1))])
    place = [one["code"] for one in RAW["indicators"]].index("output_poktan")
    value = None if evaluation.missing[0, place] else int(evaluation.values[0, place])
    assert value == expected


@pytest.mark.parametrize(("pokja", "members", "missing"), [(False, None, False), (None, 3, True), (True, None, True)])
def test_a_gate_answered_no_needs_nothing_behind_it(pokja: bool | None, members: int | None, missing: bool) -> None:
    engine = changed("input_pokja", formula=formula("input_pokja", missing="propagate"))
    profile = {"pokja": pokja, "pokja_members": members, "pokja_trained": None}
    assert bool(engine.evaluate([{"profile": profile}]).missing[0, 0]) is missing
