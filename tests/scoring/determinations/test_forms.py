"""A determination on paper and as a workbook: what it says, what it must never do, and what it does for a province."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import openpyxl
import pytest

from services.scoring.determinations.printout import css_text, day, moment, month, number, percent
from tests.callers import STRANGER, caller
from tests.scoring.determinations.made import BARE, draft, issued, problem, send
from tests.scoring.rulesets.made_rulesets import made
from tests.scoring.told import known_village

HOSTILE = '</style><script>alert(1)</script>"\\27;}'
FORMS = ("/document", "/list.xlsx")


@pytest.fixture(scope="module")
async def determination(scoring: httpx.AsyncClient) -> dict[str, Any]:
    """Two districts, one made-up village, a decree and names that mean harm."""
    await known_village(scoring, district="95.01.01", name='<img src=x onerror="alert(2)"> & Co')
    await known_village(scoring, BARE, district="95.01.01", simulated=True, name="=1+1")
    await known_village(scoring, district="95.01.02")
    return await issued(scoring, "95.01", decree={"number": HOSTILE, "date": "2025-10-20"}, note="<b>Tebal</b>")


async def form(scoring: httpx.AsyncClient, found: dict[str, Any], path: str) -> httpx.Response:
    answer = await scoring.get(f"/determinations/{found['header']['id']}{path}", headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("path", FORMS)
class TestAccess:
    async def test_stranger(self, scoring: httpx.AsyncClient, determination: dict[str, Any], path: str) -> None:
        url = f"/determinations/{determination['header']['id']}{path}"
        assert (await scoring.get(url, headers=STRANGER)).status_code == 401
        assert (await scoring.get(url, headers=caller("operator"))).status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient, determination: dict[str, Any], path: str) -> None:
        url = f"/determinations/{determination['header']['id']}{path}"
        answer = await scoring.get(url, headers=caller("reader", region="95.01.01"))
        assert problem(answer) == (404, "determination-unknown")


class TestDocument:
    async def test_nothing_in_it_runs_or_comes_from_elsewhere(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        answer = await form(scoring, determination, "/document")
        page = answer.text
        assert "<script" not in page
        assert "<img" not in page
        assert "<b>Tebal" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert page.count("</style>") == 1
        assert not re.search(r"(https?:)?//|@import|url\(|<link|<iframe", page)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")

    async def test_says_everything_that_makes_it_what_it_is(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        page = (await form(scoring, determination, "/document")).text
        header = determination["header"]
        for text in (
            '<html lang="id">',
            "Kabupaten 95.01",
            "Periode September 2025",
            "20 Oktober 2025",
            "Klasifikasi Web Kampung KB 2021 (web-2021, versi 1)",
            "Belum pasti: sebagaimana diterapkan aplikasi terdahulu",
            header["ruleset"]["digest"],
            header["id"],
            determination["digest"],
            'counter(page) " dari " counter(pages)',
            "Daftar memuat semua Kampung KB di wilayah ini yang tercatat aktif",
        ):
            assert text in page

    async def test_lists_by_class_with_numbers_and_sums_by_district(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        page = (await form(scoring, determination, "/document")).text
        assert re.findall(r"<h3>(.*?)</h3>", page) == [
            "3.1 Berkelanjutan: 2 Kampung KB",
            "3.2 Mandiri: 0 Kampung KB",
            "3.3 Berkembang: 0 Kampung KB",
            "3.4 Dasar: 1 Kampung KB",
        ]
        groups = re.findall(r'<tr class="group"><td colspan="\d+">(.*?)</td>', page)
        assert groups == [
            "Kecamatan Kecamatan 95.01.01 (95.01.01): 1 Kampung KB",
            "Kecamatan Kecamatan 95.01.02 (95.01.02): 1 Kampung KB",
            "Kecamatan Kecamatan 95.01.01 (95.01.01): 1 Kampung KB",
        ]
        rows = re.findall(r'<tr><td class="number">(\d+)</td><td class="region">(95\.01\.\d\d\.\d{4})</td>', page)
        assert [place for place, _ in rows] == ["1", "2", "1"]
        totals = re.findall(r'<tr class="total">(.*?)</tr>', page)
        assert [re.findall(r">(\d[\d.,]*)<", total) for total in totals[:2]] == [
            ["3", "100,0"],
            ["2", "0", "0", "1", "3", "0"],
        ]

    async def test_made_up_data_is_marked_on_every_sheet(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        page = (await form(scoring, determination, "/document")).text
        assert f"@top-center {{ content: {css_text('DATA SIMULASI')}" in page
        assert '<div class="watermark"' in page
        assert "1 dari 3 Kampung KB memakai data buatan" in page
        assert page.count('<span class="mark">simulasi</span>') == 1
        await known_village(scoring, district="95.02.01")
        real = (await form(scoring, await issued(scoring, "95.02"), "/document")).text
        assert "SIMULASI" not in real
        assert "@top-center { content: none" in real

    async def test_a_replaced_one_says_so(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="95.03.01")
        first = await issued(scoring, "95.03")
        assert "SUDAH DIGANTI" not in (await form(scoring, first, "/document")).text
        second = await issued(scoring, "95.03", replaces=first["header"]["id"], note="Salah ketik")
        page = (await form(scoring, first, "/document")).text
        assert "SUDAH DIGANTI" in page
        assert second["header"]["id"] in page
        page = (await form(scoring, second, "/document")).text
        assert "Menggantikan" in page
        assert "Salah ketik" in page

    async def test_a_province_is_summed_up_by_regency_and_unassessed_villages_have_their_list(
        self, scoring: httpx.AsyncClient
    ) -> None:
        for district in ("94.01.01", "94.02.01"):
            await known_village(scoring, district=district)
        await known_village(scoring, BARE, district="94.02.01")
        page = (await form(scoring, await issued(scoring, "94", ruleset="web-2021-intended"), "/document")).text
        assert "2. Jumlah menurut kabupaten/kota" in page
        assert "Kecamatan Kecamatan 94.02.01 (94.02.01), Kabupaten 94.02: 1 Kampung KB" in page
        assert "3.5 Tidak dapat dinilai: 1 Kampung KB" in page
        assert "Usulan: tidak ada naskah hukum" in page

    async def test_a_class_is_called_what_the_region_calls_it(self, scoring: httpx.AsyncClient) -> None:
        document = made()
        own = {"region": "93.01", "labels": {"id": "Dasar Sekali", "en": "Very basic"}}
        document["classes"][0]["local_labels"] = [own]
        tag = (await scoring.post("/rulesets", json=document, headers=caller("assessor"))).headers["ETag"]
        url = f"/rulesets/{document['id']}/publication"
        assert (await scoring.post(url, headers=caller("assessor") | {"If-Match": tag})).status_code == 200
        for district in ("93.01.01", "93.02.01"):
            await known_village(scoring, district=district)
        found = await issued(scoring, "93.01", ruleset=document["id"])
        assert [one["local_labels"] for one in found["header"]["ruleset"]["classes"]] == [own["labels"], *[None] * 3]
        assert "Dasar Sekali (Dasar)" in (await form(scoring, found, "/document")).text
        other = await issued(scoring, "93.02", ruleset=document["id"])
        assert "Dasar Sekali" not in (await form(scoring, other, "/document")).text

    @pytest.mark.parametrize("text", [HOSTILE, 'a"b', "\\", "\n", "é…"])
    def test_text_in_a_style_stays_text(self, text: str) -> None:
        written = css_text(text)
        assert re.fullmatch(r'"([A-Za-z0-9]|\\[0-9a-f]{6})*"', written)
        read = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), written[1:-1])
        assert read == text

    def test_numbers_and_dates_as_indonesians_write_them(self) -> None:
        when = datetime(2024, 12, 31, 18, 5, tzinfo=UTC)
        assert moment(when) == "1 Januari 2025 pukul 01.05 WIB"
        assert (day(when), month("2024-07")) == ("31 Desember 2024", "Juli 2024")
        assert (number(8563), percent(22, 285), percent(1, 8)) == ("8.563", "7,7", "12,5")


class TestWorkbook:
    async def test_what_it_is_and_the_whole_list(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        answer = await form(scoring, determination, "/list.xlsx")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="penetapan-95.01-2025-09-simulasi.xlsx"'
        book = openpyxl.load_workbook(BytesIO(answer.content))
        assert book.sheetnames == ["Penetapan", "Daftar"]
        cover = {row[0].value: row[1].value for row in book["Penetapan"].iter_rows()}
        assert cover["DATA SIMULASI"].startswith("1 dari 3 Kampung KB")
        assert (cover["Berkelanjutan"], cover["Dasar"], cover["Jumlah Kampung KB"]) == (2, 1, 3)
        assert cover["Sidik penetapan (SHA-256)"] == determination["digest"]
        assert cover["Nomor keputusan"] == HOSTILE
        rows = [[cell.value for cell in row] for row in book["Daftar"].iter_rows()]
        headings, *villages = rows
        assert headings[:8] == [
            *("No.", "Provinsi", "Kabupaten/kota", "Kecamatan", "Kode", "Desa/kelurahan", "Kampung KB", "Kelas"),
        ]
        assert headings[8:11] == ["Indeks Input", "Indeks Proses", "Indeks Output"]
        assert len(headings) == 8 + 3 + 12 + 4
        assert [row[7] for row in villages] == ["Berkelanjutan", "Dasar", "Berkelanjutan"]
        assert villages[0][8:11] == [3.4, 3.33, 3.75]
        assert [row[-1] for row in villages] == ["tidak", "ya", "tidak"]
        assert book["Daftar"]["G3"].data_type == "s"
        assert villages[1][6] == "=1+1"
        assert "DATA SIMULASI" in str(book["Daftar"].oddHeader.center.text)


async def test_more_villages_than_a_determination_may_hold(
    scoring: httpx.AsyncClient, determination: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert UUID(determination["header"]["id"])
    monkeypatch.setattr("services.scoring.determinations.freezing.MOST_VILLAGES", 2)
    answer = await send(scoring, draft("95.01", period="2025-08"))
    assert problem(answer) == (422, "invalid")
    assert "3 Kampung KB aktif di wilayah 95.01; satu penetapan memuat paling banyak 2" in answer.json()["detail"]
