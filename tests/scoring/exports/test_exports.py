"""The export of a region's villages: stranger, wrong region, invalid, happy."""

from __future__ import annotations

import csv
from io import BytesIO
from typing import Any

import httpx
import openpyxl
import pytest

from kit import clock
from tests.callers import STRANGER, caller
from tests.scoring.rulesets.made_villages import profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import known_village

DISTRICT = "88.61.01"
SCORES = [4, 3, 4, 3, 3, 3, 4, 3, 4, 4, 4, 3]


@pytest.fixture(scope="module")
async def villages(scoring: httpx.AsyncClient) -> list[str]:
    """Two villages of a district and one beside it; the second is made up and named like a formula."""
    best, _ = await known_village(scoring, district=DISTRICT)
    weak = made_facts(profile=profile(funds=0), interventions=[])
    formula, _ = await known_village(scoring, weak, DISTRICT, simulated=True, name="=1+1")
    other, _ = await known_village(scoring, district="88.62.01")
    return [best, formula, other]


async def exported(scoring: httpx.AsyncClient, ending: str, who: dict[str, str] | None = None, **params: str) -> Any:
    params = {"region": DISTRICT, **params}
    answer = await scoring.get(f"/assessments/export.{ending}", params=params, headers=who or caller("reader"))
    assert answer.status_code == 200, answer.text
    return answer


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines(), delimiter=";"))


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
class TestBoth:
    async def test_stranger(self, scoring: httpx.AsyncClient, ending: str) -> None:
        assert (await scoring.get(f"/assessments/export.{ending}", headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient, ending: str) -> None:
        answer = await scoring.get(f"/assessments/export.{ending}", headers=caller("operator"))
        assert answer.status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient, ending: str) -> None:
        who = caller("reader", region="88.62")
        assert (await scoring.get(f"/assessments/export.{ending}?region=88.61", headers=who)).status_code == 403

    @pytest.mark.parametrize("query", ["kelas=dasar", "sort=input", "limit=5", "score=jalan:1", "missing=ktp"])
    async def test_invalid(self, scoring: httpx.AsyncClient, ending: str, query: str) -> None:
        answer = await scoring.get(f"/assessments/export.{ending}?{query}", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.usefixtures("villages")
    async def test_happy_its_name(self, scoring: httpx.AsyncClient, ending: str) -> None:
        answer = await exported(scoring, ending)
        name = f"klasifikasi-kampung-kb-{DISTRICT}-{clock.today()}.{ending}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


class TestCsv:
    async def test_happy(self, scoring: httpx.AsyncClient, villages: list[str]) -> None:
        best, formula = rows_of(await exported(scoring, "csv"))
        headings = list(best)
        assert headings[:6] == [
            "Kode wilayah",
            "Provinsi",
            "Kabupaten/Kota",
            "Kecamatan",
            "Desa/Kelurahan",
            "Nama Kampung KB",
        ]
        assert headings[18:] == [
            "Indeks Input",
            "Indeks Proses",
            "Indeks Output",
            "Klasifikasi",
            "Kelengkapan (%)",
            "Data simulasi",
            "Aturan",
            "Mengapa tidak dinilai",
        ]
        assert [best["Kode wilayah"], formula["Kode wilayah"]] == villages[:2]
        assert [int(best[heading]) for heading in headings[6:18]] == SCORES
        assert [best[heading] for heading in headings[18:]] == [
            "3,40",
            "3,33",
            "3,75",
            "Berkelanjutan",
            "100,0",
            "tidak",
            "web-2021",
            "",
        ]
        assert (formula["Nama Kampung KB"], formula["Data simulasi"]) == ("'=1+1", "ya")

    @pytest.mark.parametrize(
        ("filters", "places"),
        [({"simulated": "true"}, [1]), ({"class": "berkelanjutan"}, [0]), ({"score": "input_sumber_dana:1"}, [1])],
    )
    async def test_happy_the_filters_of_the_list(
        self, scoring: httpx.AsyncClient, villages: list[str], filters: dict[str, str], places: list[int]
    ) -> None:
        rows = rows_of(await exported(scoring, "csv", **filters))
        assert [row["Kode wilayah"] for row in rows] == [villages[place] for place in places]

    async def test_a_caller_gets_their_own_region(self, scoring: httpx.AsyncClient, villages: list[str]) -> None:
        who = caller("officer", region="88.62")
        rows = rows_of(await exported(scoring, "csv", who, region="88.62"))
        answer = await scoring.get("/assessments/export.csv", headers=who)
        assert rows_of(answer) == rows
        assert [row["Kode wilayah"] for row in rows] == villages[2:]


class TestXlsx:
    async def test_happy_the_same_as_csv(self, scoring: httpx.AsyncClient, villages: list[str]) -> None:
        page = openpyxl.load_workbook(BytesIO((await exported(scoring, "xlsx")).content)).active
        assert page is not None
        headings, best, formula = ([cell.value for cell in row] for row in page.iter_rows())
        rows = rows_of(await exported(scoring, "csv"))
        assert headings == list(rows[0])
        assert [best[0], formula[0]] == villages[:2]
        assert best[6:] == [*SCORES, 3.4, 3.33, 3.75, "Berkelanjutan", 100, "tidak", "web-2021", None]
        assert formula[5] == "=1+1"
        assert page.cell(3, 6).data_type == "s"
