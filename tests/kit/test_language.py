"""Which language is answered: what the caller accepts, Indonesian otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.language import Language, headers_of, preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "id"),
        ("", "id"),
        ("en", "en"),
        ("EN-us", "en"),
        ("id-ID", "id"),
        ("in", "id"),
        ("fr", "id"),
        ("*", "id"),
        ("fr, en;q=0.5", "en"),
        ("en;q=0.5, id;q=0.8", "id"),
        ("id;q=0.5, en;q=0.8", "en"),
        ("en, id", "en"),
        ("id, en", "id"),
        ("*;q=0.9, en;q=0.1", "id"),
        ("en;q=0", "id"),
        ("id;q=0, en", "en"),
        ("en ; q = 0.3", "en"),
        ("en;q=much", "id"),
        ("en;q=1.5, id;q=0.9", "en"),
        ("english", "id"),
    ],
)
def test_what_is_preferred(header: str | None, language: str) -> None:
    assert preferred(header) == language


@given(st.text(alphabet="aeidn-*;q=.,0123456789 \t\u0663", max_size=30))
def test_whatever_is_sent_there_is_an_answer(header: str) -> None:
    assert preferred(header) in Language


def test_caches_are_told() -> None:
    assert headers_of(Language.ENGLISH) == {"Content-Language": "en", "Vary": "Accept-Language"}
