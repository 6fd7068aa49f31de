"""Tables that offices open: what a spreadsheet reads back, what it must not run, and what becomes of the files."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from decimal import Decimal
from io import BytesIO
from typing import Any

import httpx
import openpyxl
import pytest
from fastapi import FastAPI

from kit import problems, spreadsheets, turns
from kit.spreadsheets import Column, CsvTable, Sheet, Spool, XlsxTable, spooled, write_csv

SHEET = Sheet("daftar-33.26", "Daftar", (Column("Wilayah"), Column("Jumlah", 0), Column("Indeks", 2)))
ROWS: list[list[Any]] = [['Désa; "A"', 12, Decimal("3.40")], ["=1+1", None, "0.50"], [None, 0, None]]


@pytest.fixture(params=[CsvTable, XlsxTable])
def form(request: pytest.FixtureRequest) -> type[CsvTable | XlsxTable]:
    kind: type[CsvTable | XlsxTable] = request.param
    return kind


async def answered(form: type[CsvTable | XlsxTable], spool: Spool) -> httpx.Response:
    app = FastAPI()
    problems.install(app)
    app.get("/")(lambda: form(SHEET, spool))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return await client.get("/")


def full() -> Spool:
    spool = Spool()
    spool.add(ROWS)
    return spool


async def test_csv_is_what_excel_in_indonesia_opens() -> None:
    answer = await answered(CsvTable, full())
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="daftar-33.26.csv"'
    assert answer.content.startswith("\ufeffWilayah;Jumlah;Indeks\r\n".encode())
    read = list(csv.reader(answer.content.decode("utf-8-sig").splitlines(), delimiter=";"))
    assert read[1:] == [['Désa; "A"', "12", "3,40"], ["'=1+1", "", "0,50"], ["", "0", ""]]


async def test_xlsx_has_numbers_as_numbers_and_formulas_as_text() -> None:
    answer = await answered(XlsxTable, full())
    assert answer.headers["content-disposition"] == 'attachment; filename="daftar-33.26.xlsx"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    page = openpyxl.load_workbook(BytesIO(answer.content)).active
    assert page is not None
    assert (page.title, page.freeze_panes, page.auto_filter.ref) == ("Daftar", "A2", "A1:C4")
    assert [[cell.value for cell in row] for row in page.iter_rows()] == [
        ["Wilayah", "Jumlah", "Indeks"],
        ['Désa; "A"', 12, 3.4],
        ["=1+1", None, 0.5],
        [None, 0, None],
    ]
    assert (page["A3"].data_type, page["C2"].number_format) == ("s", "0.00")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_is_a_formula(start: str) -> None:
    file = BytesIO()
    write_csv(file, Sheet("a", "a", (Column("Nama"),)), [[f"{start}cmd|' /C calc'!A0"]])
    assert next(csv.reader([file.getvalue().decode("utf-8-sig").split("\r\n", 1)[1]]))[0].startswith("'")


async def test_an_empty_table_has_its_headings(form: type[CsvTable | XlsxTable]) -> None:
    assert (await answered(form, Spool())).status_code == 200


async def test_the_spool_is_closed_when_the_answer_is_sent(form: type[CsvTable | XlsxTable]) -> None:
    spool = full()
    await answered(form, spool)
    with pytest.raises(ValueError, match="closed"):
        spool.add([])


async def test_whoever_waits_too_long_for_a_writer_is_told_to_come_back(
    form: type[CsvTable | XlsxTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheets, "_TURNS", turns.Turns(0, "tables"))
    monkeypatch.setattr(turns, "_WAIT_SECONDS", 0.01)
    spool = full()
    answer = await answered(form, spool)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    with pytest.raises(ValueError, match="closed"):
        spool.add([])


async def test_a_reading_that_fails_leaves_no_file_open() -> None:
    async def pages() -> AsyncIterator[list[list[Any]]]:
        yield ROWS
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await spooled(pages())


async def test_pages_come_in_their_order() -> None:
    async def pages() -> AsyncIterator[list[list[Any]]]:
        yield ROWS[:1]
        yield ROWS[1:]

    spool = await spooled(pages())
    assert [row[0] for row in spool.rows()] == [row[0] for row in ROWS]
    spool.close()
