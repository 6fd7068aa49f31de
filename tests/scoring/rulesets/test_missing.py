"""The codes of what is missing, reckoned for a batch, are those that the explanation of one village tells in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.reasons import ReasonCode
from services.scoring.rulesets.explanation import explain
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.missing import missing_reasons
from tests.scoring.rulesets.test_engine import villages
from tests.scoring.rulesets.test_kkb_2026 import ENGINE, recent

PLACES = ["profile", "population", "population.pus", "family_planning", "family_planning.methods"]
MONTHS = st.sampled_from(["2024-11", "2025-03", "2025-06", "2026-02", "2026-03", "2026-06"])


@st.composite
def dated_villages(draw: st.DrawFn) -> dict[str, Any]:
    """Villages with and without months, days and dates."""
    facts = draw(villages)
    for done in facts.get("interventions") or []:
        done["date"] = draw(st.sampled_from([None, "2025-01-31", "2026-05-01"]))
    facts["periods"] = draw(st.dictionaries(st.sampled_from(PLACES), MONTHS))
    return facts | draw(st.sampled_from([{}, {"as_of": "2026-06-15"}]))


def told_in_words(number: str, facts: dict[str, Any]) -> dict[str, list[str]]:
    found = explain(shipped_rulesets()[number], facts)
    codes = {one.code: {why.code for why in one.reasons} for one in found.indicators if one.score is None}
    return {code: [why.value for why in ReasonCode if why in own] for code, own in codes.items()}


@given(batch=st.lists(dated_villages(), min_size=1, max_size=4))
@settings(deadline=None, max_examples=20)
def test_they_are_those_of_the_explanation(batch: list[dict[str, Any]]) -> None:
    for number, engine in shipped_rulesets().items():
        assert missing_reasons(engine.evaluate(batch)) == [told_in_words(number, facts) for facts in batch]


@pytest.mark.parametrize(
    ("fields", "indicator", "codes"),
    [
        ({"profile": None}, "input_pokja", ["report_absent"]),
        ({"periods": {}}, "output_cpr", ["age_unknown"]),
        ({"periods": {"population": "2020-01", "family_planning": "2026-03"}}, "output_cpr", ["report_too_old"]),
    ],
)
def test_each_is_told_of_its_indicator(fields: dict[str, Any], indicator: str, codes: list[str]) -> None:
    found, whole = missing_reasons(ENGINE.evaluate([recent() | fields, recent()]))
    assert found[indicator] == codes
    assert whole == {}
