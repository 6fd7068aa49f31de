"""`web-2021` gives what the predecessor's own SQL gave, village by village."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from services.scoring.rulesets.library import shipped_rulesets
from tests.conftest import SHARED

CASES = SHARED / "parity" / "web-2021.jsonl.gz"

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="the parity cases are not part of the repository")


@pytest.fixture(scope="module")
def cases() -> list[dict[str, Any]]:
    with gzip.open(CASES, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_every_case_comes_out_exact(cases: list[dict[str, Any]]) -> None:
    evaluation = shipped_rulesets()["web-2021"].evaluate(cases)
    different = {
        case["id"]: (case["expected"], evaluation.summary_of(row))
        for row, case in enumerate(cases)
        if evaluation.summary_of(row) != case["expected"]
    }
    assert len(cases) == 400
    assert different == {}


def test_the_answer_has_the_fields_of_the_cases_in_their_order(cases: list[dict[str, Any]]) -> None:
    evaluation = shipped_rulesets()["web-2021"].evaluate(cases[:1])
    assert json.dumps(evaluation.summary_of(0)) == json.dumps(cases[0]["expected"])
