"""Rules of an intervention itself."""

from datetime import date

import pytest

from services.interventions.interventions import rules


@pytest.mark.parametrize(
    ("day", "wrong"),
    [
        (date(2015, 12, 31), True),
        (date(2016, 1, 1), False),
        (date(2025, 6, 15), False),
        (date(2025, 6, 16), True),
    ],
)
def test_day_lies_between_the_programmes_begin_and_today(day: date, wrong: bool) -> None:
    assert (rules.date_problem(day, date(2025, 6, 15)) is not None) is wrong


@pytest.mark.parametrize(
    ("is_other", "words", "wrong"),
    [(True, None, True), (True, "Karang Taruna", False), (False, None, False), (False, "x", True)],
)
def test_words_come_with_lainnya_and_only_there(is_other: bool, words: str | None, wrong: bool) -> None:
    assert (rules.words_problem(is_other=is_other, words=words) is not None) is wrong


@pytest.mark.parametrize(
    ("possible", "stated", "party", "wrong"),
    [
        (["pemerintah"], None, "pemerintah", False),
        (["pemerintah"], "pemerintah", "pemerintah", False),
        (["pemerintah"], "media", None, True),
        (["pemerintah", "dunia_usaha"], None, None, False),
        (["pemerintah", "dunia_usaha"], "dunia_usaha", "dunia_usaha", False),
        (["pemerintah", "dunia_usaha"], "akademisi", None, True),
        ([], None, None, False),
        ([], "komunitas", "komunitas", False),
    ],
)
def test_party_is_the_only_possible_one_or_what_was_stated(
    possible: list[str], stated: str | None, party: str | None, wrong: bool
) -> None:
    assert (rules.party_problem(possible, stated) is not None) is wrong
    if not wrong:
        assert rules.party_of(possible, stated) == party


def test_repetition_is_found_whatever_the_case_of_the_words() -> None:
    assert rules.repeated_at([("a", None), ("b", None)]) == []
    assert rules.repeated_at([("lainnya", "LSM"), ("lainnya", "PKK"), ("lainnya", "lsm"), ("lainnya", None)]) == [2]
