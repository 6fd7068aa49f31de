"""`kkb determinations`: preview, issue, show, list, correct, export, verify."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Kkb
from tests.cli.platform import Platform
from tests.conftest import eventually

REGENCY = "33.22"
VILLAGES = ("33.22.01.2001", "33.22.01.2002")
ASKED = ("--region", REGENCY, "--period", "2024-07", "--ruleset", "web-2021")
DECREE = ("--decree", "400/1/2024", "--decree-date", "2024-08-05")


@pytest.fixture(scope="module")
async def regency(platform: Platform) -> AsyncIterator[str]:
    """Two villages that scoring knows of, one of them made up, none reported on."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        for code, simulated in zip(VILLAGES, (True, False), strict=True):
            body = {"region_code": code, "name": None, "launch_year": 2019, "simulated": simulated}
            assert (await client.post("/villages", json=body)).status_code == 201

        async def assessed() -> bool:
            answer = await client.get("/class-counts", params={"region": REGENCY})
            return bool(answer.json()["total"]["total"] == len(VILLAGES))

        await eventually(assessed)
        yield REGENCY


@pytest.fixture(scope="module")
async def issued(kkb: Kkb, regency: str) -> str:
    """Id of the determination that was issued first."""
    said = await kkb("determinations", "issue", *ASKED, *DECREE, "--yes", "--json")
    assert said.exit_code == 0, said.output
    return str(json.loads(said.stdout)["header"]["id"])


async def test_preview_says_what_is_missing_and_that_nothing_is_stored(kkb: Kkb, regency: str) -> None:
    said = await kkb("determinations", "preview", *ASKED)
    assert said.exit_code == 0, said.output
    assert "PRATINJAU: belum ditetapkan, dan tidak disimpan." in said.stdout
    assert "SIMULASI: 1 dari 2 memakai data simulasi." in said.stdout
    assert "Belum lengkap: 2 Kampung KB" in said.stdout
    assert "Profil, Kependudukan, Program Bangga Kencana" in said.stdout


async def test_without_yes_nothing_is_issued_unless_confirmed(kkb: Kkb, regency: str) -> None:
    asked = ("--region", REGENCY, "--period", "2024-06", "--ruleset", "web-2021")
    said = await kkb("determinations", "issue", *asked, *DECREE)
    assert said.exit_code == 1
    assert "Tetapkan? Tidak dapat diubah lagi" in said.output
    listed = await kkb("determinations", "list", "--region", REGENCY, "--period", "2024-06", "--json")
    assert json.loads(listed.stdout) == []


async def test_show_and_list(kkb: Kkb, issued: str) -> None:
    shown = await kkb("determinations", "show", issued)
    assert shown.exit_code == 0, shown.output
    for text in ("400/1/2024, tanggal 2024-08-05", "Belum pasti", "SIMULASI: 1 dari 2", "Tanpa laporan: 2."):
        assert text in shown.stdout
    listed = await kkb("determinations", "list", "--region", REGENCY)
    assert issued in listed.stdout
    assert "SIMULASI" in listed.stdout


async def test_an_open_period_and_a_second_one_are_refused_in_words(kkb: Kkb, issued: str) -> None:
    open_period = ("--region", REGENCY, "--period", "2099-01", "--ruleset", "web-2021", *DECREE, "--yes")
    said = await kkb("determinations", "issue", *open_period)
    assert said.exit_code == 1
    assert "Periode ini belum berakhir (422)" in said.stderr
    said = await kkb("determinations", "issue", *ASKED, *DECREE, "--yes")
    assert "Kelas wilayah ini untuk periode itu sudah ditetapkan (409)" in said.stderr
    assert f"Yang sudah ada: {issued}" in said.stderr


async def test_export_and_verify(kkb: Kkb, issued: str, tmp_path: Path) -> None:
    sheet, page, content = (tmp_path / f"daftar{ending}" for ending in (".xlsx", ".html", ".json"))
    for out in (sheet, page, content):
        said = await kkb("determinations", "export", issued, "--out", str(out))
        assert said.exit_code == 0, said.output
    assert sheet.read_bytes().startswith(b"PK")
    assert "DATA SIMULASI" in page.read_text()
    verified = await kkb("determinations", "verify", issued)
    assert verified.exit_code == 0
    assert verified.stdout.count(hashlib.sha256(content.read_bytes()).hexdigest()) == 2
    again = await kkb("determinations", "export", issued, "--out", str(sheet))
    assert again.exit_code == 1
    assert "sudah ada" in again.stderr
    said = await kkb("determinations", "export", issued, "--out", str(tmp_path / "daftar.pdf"))
    assert ".xlsx, .html, .json" in said.stderr


async def test_a_correction_names_the_old_one(kkb: Kkb, issued: str) -> None:
    correction = ("--replaces", issued, "--note", "Salah ketik", "--yes", "--json")
    said = await kkb("determinations", "issue", *ASKED, *DECREE, *correction)
    assert said.exit_code == 0, said.output
    newer = json.loads(said.stdout)["header"]["id"]
    assert f"SUDAH DIGANTI oleh {newer}" in (await kkb("determinations", "show", issued)).stdout
    listed = json.loads((await kkb("determinations", "list", "--region", REGENCY, "--json")).stdout)
    assert [one["header"]["id"] for one in listed] == [newer]
    every = json.loads((await kkb("determinations", "list", "--region", REGENCY, "--all", "--json")).stdout)
    assert [one["header"]["id"] for one in every] == [newer, issued]
