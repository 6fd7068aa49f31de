"""`kkb import siga` and `kkb imports`: from a folder to a summary that leaves nothing unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Kkb
from tests.cli.siga import write_tables

REGION = ("--province", "33.25", "--year", "2025")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tables(tmp_path_factory.mktemp("siga") / "batang-2025")


@pytest.fixture(scope="module")
async def tried(kkb: Kkb, tables: Path) -> Any:
    return await kkb("import", "siga", str(tables), *REGION, "--dry-run")


@pytest.fixture(scope="module")
async def imported(kkb: Kkb, tables: Path, tried: Any) -> Any:
    return await kkb("import", "siga", str(tables), *REGION)


class TestRefused:
    async def test_no_folder(self, kkb: Kkb, tmp_path: Path) -> None:
        result = await kkb("import", "siga", str(tmp_path / "tidak-ada"), *REGION)
        assert result.exit_code == 1
        assert "bukan folder" in result.stderr

    async def test_no_tables(self, kkb: Kkb, tmp_path: Path) -> None:
        (tmp_path / "catatan.txt").write_text("x")
        result = await kkb("import", "siga", str(tmp_path), *REGION)
        assert result.exit_code == 1
        assert "Tidak ada berkas csv" in result.stderr

    async def test_a_name_the_platform_does_not_take(self, kkb: Kkb, tmp_path: Path) -> None:
        (tmp_path / "tabél.csv").write_text("x")
        result = await kkb("import", "siga", str(tmp_path), *REGION)
        assert result.exit_code == 1
        assert "tabél.csv" in result.stderr

    async def test_nothing_recognised_is_not_started(self, kkb: Kkb, tmp_path: Path) -> None:
        (tmp_path / "kas.csv").write_text("TANGGAL,RUPIAH\n2025-01-01,1000\n")
        result = await kkb("import", "siga", str(tmp_path), *REGION)
        assert result.exit_code == 1
        assert "TIDAK dikenali" in result.stdout
        assert "tidak dijalankan" in result.stderr

    @pytest.mark.parametrize(("region", "word"), [("99", "Kode wilayah tidak ada"), ("11.1", "#/region")])
    async def test_a_wrong_region(self, kkb: Kkb, tables: Path, region: str, word: str) -> None:
        result = await kkb("import", "siga", str(tables), "--province", region, "--year", "2025")
        assert result.exit_code == 1
        assert word in result.stderr
        assert "Nomor permintaan" in result.stderr


class TestDryRun:
    async def test_it_says_so_and_stores_nothing(self, kkb: Kkb, tried: Any) -> None:
        assert tried.exit_code == 0, tried.output
        assert "UJI COBA" in tried.stdout
        assert (await kkb("villages", "--region", "33.25.01", "--json")).stdout.strip() == "[]"


class TestImported:
    def test_rejected_rows_are_no_failure_but_are_said(self, imported: Any) -> None:
        assert imported.exit_code == 0, imported.output
        assert "3 baris DITOLAK" in imported.stdout
        assert "1 berkas tidak terbaca: kas.csv" in imported.stdout

    def test_what_each_file_was_recognised_as(self, imported: Any) -> None:
        assert "data_kkb.csv: dikenali sebagai data_kkb" in imported.stdout
        assert "data_pus.csv.gz: dikenali sebagai data_pus" in imported.stdout
        assert "kas.csv: TIDAK dikenali" in imported.stdout
        assert "catatan.txt" not in imported.stdout

    def test_control_totals_are_over_all_rows_read(self, imported: Any) -> None:
        september = next(line for line in imported.stdout.splitlines() if line.strip().startswith("2025-09"))
        assert september.split() == ["2025-09", "900", "110", "12,22%"]

    def test_names_and_how_they_were_settled(self, imported: Any) -> None:
        assert "BATANG / WONOTUNGGAL / SENDANK" in imported.stdout
        assert "33.25.01.2005" in imported.stdout
        assert "KODE pada tabel lain" in imported.stdout
        assert "BATANG / WONOTUNGGAL / ENTAH DI MANA" in imported.stdout

    def test_villages_reports_and_columns_not_used(self, imported: Any) -> None:
        assert "5 disebut tabel di 4 desa/kelurahan; 4 didaftarkan, 0 sudah terdaftar" in imported.stdout
        assert "KAMPUNG KB MANDIRI" in imported.stdout

    async def test_again_changes_nothing(self, kkb: Kkb, imported: Any, tables: Path) -> None:
        again = await kkb("import", "siga", str(tables), *REGION, "--json")
        assert again.exit_code == 0, again.output
        summary = json.loads(again.stdout)
        assert summary["rows"]["stored"] == 0
        assert summary["villages"]["registered"] == 0
        assert {kind: counts["new"] + counts["revised"] for kind, counts in summary["reports"].items()} == {
            "profile": 0,
            "population": 0,
            "family_planning": 0,
        }
        assert "dikenali sebagai" in again.stderr


class TestImports:
    async def test_list_show_and_rows(self, kkb: Kkb, imported: Any) -> None:
        listed = json.loads((await kkb("imports", "list", "--state", "done", "--json")).stdout)
        number = next(one["id"] for one in listed if not one["dry_run"])
        shown = await kkb("imports", "show", number)
        assert shown.exit_code == 0
        assert "Jumlah kendali per bulan" in shown.stdout
        rows = await kkb("imports", "rows", number, "--status", "rejected", "--table", "data_pus.csv.gz")
        assert rows.exit_code == 0
        assert rows.stdout.count("ditolak") == 3

    async def test_a_list_that_is_cut_off_says_so(self, kkb: Kkb, imported: Any) -> None:
        result = await kkb("imports", "list", "--limit", "1")
        assert "masih ada lagi" in result.stdout

    async def test_an_unknown_import(self, kkb: Kkb) -> None:
        result = await kkb("imports", "show", "01900000-0000-7000-8000-000000000000")
        assert result.exit_code == 1
        assert result.stderr.startswith("Impor tidak ditemukan (404).")
