"""What is shown of a village without class: in every table the same words, never a class."""

from __future__ import annotations

from typing import Any

import pytest

from cli import assessments, history
from cli.words import CLASSES, NOT_ASSESSABLE, class_name

VILLAGE = {"region_code": "98.82.01.2001", "region_names": {"village": "Desa", "district": "Kecamatan"}}
ASSESSED: dict[str, Any] = {
    "village": VILLAGE,
    "class": None,
    "indexes": {"input": "3.20", "output": None},
    "distance": None,
    "completeness": {"percent": "40.0"},
    "newest_periods": {},
    "simulated": False,
}


@pytest.mark.parametrize(("code", "name"), [(None, NOT_ASSESSABLE), *CLASSES.items()])
def test_a_class_and_none(code: str | None, name: str) -> None:
    assert class_name(code) == name


def test_the_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assessments._show([ASSESSED], more=False)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "98.82" in line)
    assert "Tidak dapat dinilai" in line
    assert "0,00" not in line


def test_what_was_said_of_a_month_before() -> None:
    before = {"class": None, "superseded_at": "2026-01-01T00:00:00Z"}
    assert history._before(before).startswith("Tidak dapat dinilai s.d. ")
