"""An explanation tells the numbers the score rests on, and what nobody reported."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from services.scoring.rulesets.explanation import IndicatorExplanation, explain
from services.scoring.rulesets.library import shipped_rulesets
from tests.scoring.rulesets.made_villages import family_planning, population, village
from tests.scoring.rulesets.test_engine import villages

ENGINE = shipped_rulesets()["web-2021"]


def told(code: str, facts: dict[str, Any]) -> IndicatorExplanation:
    return next(one for one in explain(ENGINE, facts).indicators if one.code == code)


def test_a_percentage_in_words_and_numbers() -> None:
    unmet = told("output_unmet", village(population=population(pus=1028), family_planning=family_planning(unmet=60)))
    assert unmet.formula == (
        "(Ingin anak ditunda (IAT) 60 + Tidak ingin anak lagi (TIAL) 0) dari Pasangan usia subur (PUS) 1.028 = 6%"
    )
    assert (unmet.score, unmet.value) == (4, 6)
    assert unmet.band is not None
    assert unmet.band.text == "paling banyak 6%"
    assert unmet.not_reported == []


def test_a_total_stands_in_for_a_split_that_was_not_reported() -> None:
    reported = {"unmet_need": 9}
    unmet = told("output_unmet", village(family_planning=reported))
    assert unmet.formula.startswith(
        "Unmet need (jumlah, tanpa rincian IAT dan TIAL) 9 dari Pasangan usia subur (PUS) 100"
    )
    assert unmet.not_reported == [
        "family_planning.non_users.wants_child_later",
        "family_planning.non_users.wants_no_more",
    ]


def test_a_zero_that_stands_for_nothing_known_is_said() -> None:
    unmet = told("output_unmet", village(population=population(pus=0)))
    assert "[penyebut 0: dihitung 0% menurut aturan]" in unmet.formula


def test_an_absent_report_that_decides_the_score_is_said() -> None:
    long_acting = told("output_mkjp", village(population=None))
    assert long_acting.formula.endswith(". Skor 1 ditetapkan aturan: laporan kependudukan belum ada")
    assert (long_acting.score, long_acting.value, long_acting.band) == (1, None, None)


def test_answers_and_choices() -> None:
    assert told("input_sarana", {"profile": {"secretariat": True}}).formula == (
        "Sekretariat: ya; Rumah DataKu: tidak dilaporkan = 1 sarana [yang tidak dilaporkan dihitung 0 menurut aturan]"
    )
    funds = {"profile": {"funding_sources": ["apbn", "csr"]}}
    assert told("input_sumber_dana", funds).formula == "Sumber dana: APBN, Perusahaan (CSR) = 2 sumber dana"
    assert told("input_sumber_dana", {"profile": {"funding_sources": []}}).not_reported == []
    assert told("proses_lintas_sektor", village()).formula == "Pelaksana yang berbeda pada 6 intervensi = 5 instansi"


def test_nothing_reported_is_all_told() -> None:
    explanation = explain(ENGINE, {})
    assert (explanation.answered, explanation.asked, len(explanation.not_reported)) == (0, 39, 39)


@given(villages)
@settings(deadline=None, max_examples=50)
def test_an_explanation_never_differs_from_the_evaluation(facts: dict[str, Any]) -> None:
    explanation = explain(ENGINE, facts)
    evaluation = ENGINE.evaluate([facts])
    assert {one.code: one.score for one in explanation.indicators} == evaluation.scores_of(0)
    assert explanation.village_class == evaluation.village_class(0)
    assert explanation.asked - len(explanation.not_reported) == explanation.answered
    for one in explanation.indicators:
        if one.band is not None and one.value is not None:
            assert one.band.low is None or one.band.low <= one.value
            assert one.band.high is None or one.value <= one.band.high
