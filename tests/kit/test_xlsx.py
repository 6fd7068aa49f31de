"""A workbook put together row by row: what a reader of its own finds in it."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import openpyxl
import pytest

from kit import xlsx

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def written(headings: list[str], decimals: list[int | None], rows: list[list[Any]], title: str = "Daftar") -> BytesIO:
    file = BytesIO()
    xlsx.write(file, title, headings, decimals, rows)
    return file


def test_every_part_is_well_formed() -> None:
    with ZipFile(written(["a<b", 'Jumlah "x"'], [None, 1], [["&", "1.5"]], "Kelas & lainnya")) as book:
        assert book.testzip() is None
        for name in book.namelist():
            ET.fromstring(book.read(name))  # noqa: S314 - our own


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a < b & c > \"d\" 'e'", "a < b & c > \"d\" 'e'"),
        ("bel\x07", "bel_x0007_"),
        ("baris\rbaru", "baris_x000D_baru"),
        ("sudah _x0007_", "sudah _x005F_x0007_"),
        ("dua\nbaris", "dua\nbaris"),
        ("  tepi  ", "  tepi  "),
        ("Désa ᮃ 🏡", "Désa ᮃ 🏡"),
    ],
)
def test_texts(text: str, stored: str) -> None:
    with ZipFile(written(["Nama"], [None], [[text]])) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    assert [found.text for found in sheet.iter(f"{_MAIN}t")] == ["Nama", stored]


def test_more_columns_than_letters_and_more_rows_than_a_part() -> None:
    headings = [f"K{place}" for place in range(60)]
    rows = [[row * 100 + place if place % 7 else None for place in range(60)] for row in range(1_203)]
    page = openpyxl.load_workbook(written(headings, [0] * 60, rows)).active
    assert page is not None
    assert page.auto_filter.ref == "A1:BH1204"
    assert [[cell.value for cell in row] for row in page.iter_rows(min_row=2)] == rows


def test_numbers_have_their_decimals() -> None:
    page = openpyxl.load_workbook(written(["a", "b", "c"], [0, 2, 1], [[1, "2.50", 3.1]])).active
    assert page is not None
    assert [cell.number_format for cell in page[2]] == ["0", "0.00", "0.0"]
    assert [cell.value for cell in page[2]] == [1, 2.5, 3.1]


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        written(["a", "b"], [None, None], [["hanya satu"]])
