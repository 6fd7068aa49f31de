"""An explanation tells the numbers the score rests on, and what nobody reported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.facts import ReportKind
from kit.language import Language
from services.scoring.rulesets.explanation import IndicatorExplanation, explain
from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.words import phrases_of
from services.scoring.rulesets.words.phrases import Phrases
from tests.scoring.rulesets.made_villages import POKTAN, family_planning, population, profile, village
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
@settings(deadline=None, max_examples=25)
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


def in_english(code: str, facts: dict[str, Any], number: str = "web-2021") -> IndicatorExplanation:
    found = explain(shipped_rulesets()[number], facts, Language.ENGLISH).indicators
    return next(one for one in found if one.code == code)


class TestEnglish:
    def test_a_percentage_in_words_and_numbers(self) -> None:
        facts = village(population=population(pus=1028), family_planning=family_planning(unmet=60))
        unmet = in_english("output_unmet", facts)
        assert unmet.formula == (
            "(Wants a child later (IAT) 60 + Wants no more children (TIAL) 0) of "
            "Couples of reproductive age (PUS) 1,028 = 6%"
        )
        assert unmet.band is not None
        assert unmet.band.text == "at most 6%"

    def test_answers_and_choices(self) -> None:
        assert in_english("input_sarana", {"profile": {"secretariat": True}}).formula == (
            "Secretariat: yes; Rumah DataKu (data house): not reported = 1 (facilities) "
            "[what was not reported counts as 0 under the ruleset]"
        )
        actors = in_english("proses_lintas_sektor", village())
        assert actors.formula == "Different actors in 6 interventions = 5 institutions"
        assert actors.band is not None
        assert actors.band.text == "4 to 6 institutions"

    def test_an_absent_report(self) -> None:
        assert in_english("output_mkjp", village(population=None)).formula.endswith(
            ". The ruleset gives score 1: there is no population report yet"
        )

    def test_a_sentence_of_the_rulesets_own(self) -> None:
        facts = village(
            population=population(families_with_under_fives=112),
            family_planning=family_planning() | {"poktan_participants": dict.fromkeys(POKTAN, 58)},
        ) | {"as_of": "2026-01-31", "periods": dict.fromkeys(("population", "family_planning"), "2026-01")}
        english = in_english("output_poktan", facts, "kkb-2026").formula
        assert "58 of 112 families with under-fives take part in BKB = 51.79%" in english
        indonesian = next(
            one for one in explain(shipped_rulesets()["kkb-2026"], facts).indicators if one.code == "output_poktan"
        )
        assert "58 dari 112 keluarga yang memiliki balita ikut BKB = 51,79%" in indonesian.formula


class TestNextBand:
    @pytest.mark.parametrize(
        ("code", "facts", "indonesian", "english"),
        [
            (
                "output_cpr",
                {"population": population(pus=200), "family_planning": family_planning(users=70)},
                "12 lagi untuk mencapai 41% (skor 3)",
                "12 more to reach 41% (score 3)",  # 81 of 200 are 40.5 %, which this ruleset rounds to 40
            ),
            (
                "output_unmet",
                {"family_planning": family_planning(unmet=11)},
                "2 lebih sedikit untuk turun ke 9% (skor 3)",
                "2 fewer to come down to 9% (score 3)",
            ),
            (
                "output_poktan",
                {"family_planning": family_planning(participation=19)},
                "2 poin persen lagi untuk mencapai 21% (skor 3)",
                "2 more percentage points to reach 21% (score 3)",
            ),
            (
                "input_sumber_dana",
                {"profile": profile(funds=2)},
                "3 lagi untuk mencapai 5 sumber dana (skor 4)",
                "3 more to reach 5 funding sources (score 4)",
            ),
        ],
    )
    def test_in_numbers_and_a_sentence(self, code: str, facts: dict[str, Any], indonesian: str, english: str) -> None:
        for found, text in ((told(code, village(**facts)), indonesian), (in_english(code, village(**facts)), english)):
            assert found.next_band is not None
            assert found.next_band.text == text

    def test_what_is_counted_is_named_where_the_ruleset_says_it(self) -> None:
        facts = village(family_planning=family_planning(unmet=11)) | {
            "as_of": "2026-01-31",
            "periods": dict.fromkeys(("population", "family_planning"), "2026-01"),
        }
        found = in_english("output_unmet", facts, "kkb-2026").next_band
        assert found is not None
        assert found.text == "2 fewer couples to come down to 9.0% (score 3)"
        assert (found.value, found.difference, found.count, found.more) == (9, 2, 2, False)

    def test_the_best_band_needs_nothing_and_no_value_has_none(self) -> None:
        assert told("output_cpr", village()).next_band is None
        assert told("output_mkjp", village(population=None)).next_band is None

    @given(st.integers(1, 3000), st.integers(0, 3000), st.sampled_from(["output_cpr", "output_unmet"]))
    @settings(deadline=None, max_examples=30)
    def test_so_many_people_are_enough_and_one_less_is_not(self, pus: int, number: int, code: str) -> None:
        """Only as many as there are couples: the users are drawn up to them."""

        def facts(users: int) -> dict[str, Any]:
            own = {"users": users, "long_acting": 0} if code == "output_cpr" else {"unmet": users}
            return village(population=population(pus=pus), family_planning=family_planning(**own))

        users = min(number, pus)
        before = told(code, facts(users))
        if before.next_band is None or before.next_band.count is None:
            return
        step = 1 if before.next_band.more else -1
        reached = told(code, facts(users + step * before.next_band.count))
        missed = told(code, facts(users + step * (before.next_band.count - 1)))
        assert reached.score is not None
        assert missed.score is not None
        assert reached.score >= before.next_band.score > missed.score


periods = st.none() | st.dictionaries(
    st.sampled_from(["profile", "population", "family_planning", "population.pus", "family_planning.unmet_need"]),
    st.sampled_from(["2020-01", "2025-12", "2026-06"]),
)


@given(villages, periods, st.sampled_from([None, "2026-06-15"]), st.sampled_from(sorted(shipped_rulesets())))
@settings(deadline=None, max_examples=60)
def test_whatever_has_no_value_says_why(
    facts: dict[str, Any], months: dict[str, str] | None, day: str | None, number: str
) -> None:
    engine = shipped_rulesets()[number]
    dated = facts | {"periods": months, "as_of": day}
    explained = [explain(engine, dated, language) for language in Language]
    for one, other in zip(*(answer.indicators for answer in explained), strict=True):
        assert (one.value is None) == bool(one.reasons)
        assert [reason.code for reason in one.reasons] == [reason.code for reason in other.reasons]
        assert all(reason.text for reason in (*one.reasons, *other.reasons))
        assert (one.score, one.value) == (other.score, other.value)


@pytest.mark.parametrize("language", Language)
def test_every_phrase_says_something_of_its_own(language: Language) -> None:
    """No phrase of one language is the other's, and no place for a number is left open."""
    own, others = (phrases_of(one) for one in (language, *(set(Language) - {language})))
    for name in Phrases.__annotations__:
        assert getattr(own, name)
        assert getattr(own, name) != getattr(others, name)
    for kind in ReportKind:
        assert own.report_absent(kind) != others.report_absent(kind)
        assert own.too_old(kind, "2025-01", 1, 1) != others.too_old(kind, "2025-01", 1, 1)
