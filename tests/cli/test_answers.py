"""`kkb classes`, `explain`, `villages`, `findings`: what the platform answers, readable and as it came."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.conftest import Kkb
from tests.cli.platform import Platform
from tests.conftest import eventually

VILLAGE = "33.25.02.2001"
PROFILE = {"pokja": True, "pokja_members": 12, "pokja_trained": True, "funding_sources": ["apbd", "dana_desa"]}


@pytest.fixture(scope="module")
async def reported(platform: Platform) -> AsyncIterator[str]:
    """A made-up village with a profile and a population that does not add up, once it is assessed."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    made_up = {"simulated": True, "source_system": "demo"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        village = {"region_code": VILLAGE, "name": "Kampung KB Uji", "launch_year": 2019, **made_up}
        assert (await client.post("/villages", json=village)).status_code == 201
        for path, facts in (("profiles", PROFILE), ("population-reports", {"pus": 70_000, "families": 900})):
            report = {"period": "2024-07", "facts": facts, **made_up}
            assert (await client.post(f"/villages/{VILLAGE}/{path}", json=report)).status_code == 201

        async def assessed() -> bool:
            answer = await client.get(f"/assessments/{VILLAGE}")
            return answer.status_code == 200 and answer.json()["completeness"]["answered"] == 6

        await eventually(assessed)
        yield VILLAGE


class TestClasses:
    async def test_parts_and_total_with_shares(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("classes", "--region", "33.25.02")
        assert result.exit_code == 0, result.output
        assert "Klasifikasi 33.25.02" in result.stdout
        assert "1 (100,0%)" in result.stdout
        assert "SIMULASI: 1 dari 1" in result.stdout

    async def test_by_another_level(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("classes", "--region", "33", "--by", "district")
        assert "33.25.02" in result.stdout
        assert "per kecamatan" in result.stdout

    async def test_a_narrow_screen_leaves_out_shares_and_breaks_no_heading(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("classes", "--region", "33.25.02", COLUMNS="80")
        (heading,) = [line for line in result.stdout.splitlines() if "Berkembang" in line]
        assert heading.split() == [
            "Wilayah",
            "Dasar",
            "Berkembang",
            "Mandiri",
            "Berkelanjutan",
            "dinilai",
            "Jumlah",
            "laporan",
        ]
        (total,) = [line for line in result.stdout.splitlines() if line.strip().startswith("Jumlah")]
        assert total.split() == ["Jumlah", "1", "0", "0", "0", "0", "1", "0"]

    async def test_json_is_the_answer_as_it_came(self, kkb: Kkb, reported: str) -> None:
        counts = json.loads((await kkb("classes", "--region", "33.25.02", "--json")).stdout)
        assert counts["total"]["classes"]["dasar"]["count"] == 1

    async def test_a_table_in_a_file(self, kkb: Kkb, reported: str, tmp_path: Path) -> None:
        out = tmp_path / "kelas.csv"
        result = await kkb("classes", "--region", "33.25.02", "--out", str(out))
        assert result.exit_code == 0, result.output
        heading, village, total = out.read_text("utf-8-sig").splitlines()
        assert heading.startswith("Kode wilayah;Wilayah;Dasar;Dasar (%)")
        assert (village.split(";")[0], total.split(";")[:4]) == (reported, ["", "Jumlah", "1", "100,0"])

    async def test_at_the_end_of_a_month(self, kkb: Kkb, reported: str) -> None:
        before = await kkb("classes", "--region", "33.25.02", "--period", "2024-06")
        assert "Belum ada data apa pun saat itu: 1 Kampung KB" in before.stdout
        then = await kkb("classes", "--region", "33.25.02", "--period", "2024-07")
        assert "(akhir 2024-07)" in then.stdout
        assert "1 (100,0%)" in then.stdout

    async def test_a_region_without_villages(self, kkb: Kkb) -> None:
        result = await kkb("classes", "--region", "91")
        assert result.exit_code == 0
        assert "Belum ada Kampung KB yang dinilai" in result.stdout

    async def test_a_level_above_the_region(self, kkb: Kkb) -> None:
        result = await kkb("classes", "--region", "33.25", "--by", "province")
        assert result.exit_code == 1
        assert "query:by" in result.stderr


class TestAssessments:
    async def test_a_list_with_its_filters_and_order(self, kkb: Kkb, reported: str) -> None:
        filters = ["--class", "dasar", "--score", "input_pokja:4", "--missing", "family_planning", "--simulated"]
        others = ["--completeness", "1-49", "--with-reports", "--older-than", "12", "--older-kind", "profile"]
        result = await kkb("assessments", "--region", "33.25.02", "--sort=-input", *filters, *others)
        assert result.exit_code == 0, result.output
        assert reported in result.stdout
        assert "Profil 2024-07, Kependudukan 2024-07" in " ".join(result.stdout.split())
        assert "SIMULASI" in result.stdout

    @pytest.mark.parametrize(
        "filters",
        [
            ["--class", "mandiri"],
            ["--score", "input_pokja:1"],
            ["--missing", "profile"],
            ["--older-than", "999"],
            ["--completeness", "100"],
            ["--without-reports"],
            ["--real"],
        ],
    )
    async def test_each_filter_is_sent(self, kkb: Kkb, reported: str, filters: list[str]) -> None:
        result = await kkb("assessments", "--region", "33.25.02", *filters)
        assert result.exit_code == 0, result.output
        assert reported not in result.stdout

    async def test_json_is_the_answer_as_it_came(self, kkb: Kkb, reported: str) -> None:
        (item,) = json.loads((await kkb("assessments", "--region", "33.25.02", "--json")).stdout)
        assert item["village"]["region_code"] == reported

    @pytest.mark.parametrize("ending", ["csv", "xlsx"])
    async def test_a_file(self, kkb: Kkb, reported: str, tmp_path: Path, ending: str) -> None:
        out = tmp_path / f"daftar.{ending}"
        result = await kkb("assessments", "--region", "33.25.02", "--simulated", "--out", str(out))
        assert result.exit_code == 0, result.output
        if ending == "csv":
            assert reported in out.read_text("utf-8-sig")
        again = await kkb("assessments", "--region", "33.25.02", "--out", str(out))
        assert (again.exit_code, "sudah ada" in again.stderr) == (1, True)

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--out", "daftar.ods"], "Akhiran berkas"),
            (["--out", "daftar.csv", "--sort", "distance"], "--sort tidak berlaku"),
            (["--sort", "kelas"], "query:sort"),
        ],
    )
    async def test_what_cannot_be(self, kkb: Kkb, arguments: list[str], says: str) -> None:
        result = await kkb("assessments", *arguments)
        assert result.exit_code == 1
        assert says in result.stderr


class TestReadiness:
    async def test_yes_no_and_not_reported(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("readiness", "--region", "33.25.02")
        assert result.exit_code == 0, result.output
        lines = {" ".join(line.split()) for line in result.stdout.splitlines()}
        assert {"Pokja 1 (100,0%) 0 (0,0%) 0 (0,0%)", "RKM 0 (0,0%) 0 (0,0%) 1 (100,0%)"} <= lines
        assert "SIMULASI: 1 dari 1" in result.stdout

    async def test_a_file(self, kkb: Kkb, reported: str, tmp_path: Path) -> None:
        out = tmp_path / "kesiapan.csv"
        result = await kkb("readiness", "--region", "33.25", "--by", "district", "--out", str(out))
        assert result.exit_code == 0, result.output
        assert "33.25.02;" in out.read_text("utf-8-sig")

    async def test_json_is_the_answer_as_it_came(self, kkb: Kkb, reported: str) -> None:
        found = json.loads((await kkb("readiness", "--region", "33.25.02", "--json")).stdout)
        assert found["total"]["cells"]["pokja.yes"]["count"] == 1


class TestHistory:
    async def test_months_of_a_village(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("history", VILLAGE)
        assert result.exit_code == 0, result.output
        assert "SIMULASI" in result.stdout
        assert "2024-07" in result.stdout
        assert "Dasar" in result.stdout
        (month,) = json.loads((await kkb("history", VILLAGE, "--json")).stdout)["items"]
        assert (month["period"], month["class"]) == ("2024-07", "dasar")

    async def test_trend_of_a_region(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("trend", "--region", "33.25.02", "--from", "2024-06", "--to", "2024-07")
        assert result.exit_code == 0, result.output
        assert "Kelas 1 Kampung KB aktif di 33.25.02" in result.stdout
        june, july = (line.split() for line in result.stdout.splitlines() if line.strip().startswith("2024-0"))
        assert (june, july) == (["2024-06", *"00000100"], ["2024-07", *"10000000"])

    async def test_months_that_are_none(self, kkb: Kkb) -> None:
        result = await kkb("trend", "--from", "2025-09", "--to", "2025-08")
        assert result.exit_code == 1
        assert "query:from" in result.stderr


class TestRecompute:
    async def test_followed_to_its_end_and_listed(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("recompute", "start", "--region", "33.25.02", "--since", "2024-01", "--reason", "uji kkb")
        assert result.exit_code == 0, result.output
        assert "selesai: 1 dari 1 Kampung KB dinilai, 0 berubah, 0 diumumkan" in result.stdout
        number = result.stdout.split()[2]
        assert number in (await kkb("recompute", "list")).stdout
        assert "selesai" in (await kkb("recompute", "show", number)).stdout
        for command in ("cancel", "resume"):
            assert (await kkb("recompute", command, number)).exit_code == 1


class TestExplain:
    async def test_class_scores_sources_and_what_is_missing(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("explain", VILLAGE)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("SIMULASI: penilaian ini memakai data simulasi.")
        assert "Kelas: DASAR" in result.stdout
        assert "6 dari 39 isian dilaporkan" in result.stdout
        assert "demo 2024-07 [SIMULASI]" in result.stdout
        assert "Belum dilaporkan" in result.stdout
        assert "belum pernah" in result.stdout
        answer = json.loads((await kkb("explain", VILLAGE, "--json")).stdout)
        for indicator in answer["indicators"]:
            assert indicator["labels"]["id"] in result.stdout

    async def test_under_another_ruleset_with_the_reasons(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("explain", VILLAGE, "--ruleset", "kkb-2026")
        assert result.exit_code == 0, result.output
        shown = " ".join(result.stdout.split())
        assert "Kelas: TIDAK DAPAT DINILAI" in shown
        assert "tidak disimpan" in shown
        assert "terlalu lama, paling lama 12 bulan" in shown
        assert "SK pokja" in shown

    async def test_what_the_next_band_needs(self, kkb: Kkb, reported: str) -> None:
        assert "Berikutnya: 3 lagi untuk" in (await kkb("explain", VILLAGE)).stdout

    async def test_numbers_are_written_as_in_indonesia(self, kkb: Kkb, reported: str) -> None:
        assert "3,00" in (await kkb("explain", VILLAGE)).stdout

    async def test_an_unknown_village(self, kkb: Kkb) -> None:
        result = await kkb("explain", "33.25.02.2999")
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("Kampung KB tidak ditemukan, atau di luar wilayah Anda (404).")

    @pytest.mark.parametrize("reference", ["3174", "a/../b", "../keys", "11.1"])
    async def test_a_reference_that_is_none(self, kkb: Kkb, reference: str) -> None:
        result = await kkb("explain", reference)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output


class TestLists:
    async def test_villages(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("villages", "--region", "33.25.02")
        assert all(words in result.stdout for words in (VILLAGE, "Kampung KB Uji", "2019", "aktif", "SIMULASI"))

    async def test_findings(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("findings", "--region", "33.25.02")
        assert "tidak ada desa/kelurahan sebesar itu" in result.stdout
        found = json.loads((await kkb("findings", "--region", "33.25.02", "--json")).stdout)
        assert found[0]["code"] == "impossible_size"


class TestWhatIf:
    async def test_what_would_change_and_why(self, kkb: Kkb, reported: str) -> None:
        supposed = (
            "--fact",
            "profile.funding_sources=apbn,apbd,csr,donation,dana_desa",
            "--fact",
            "profile.poktan.bkb=ya",
        )
        result = await kkb("what-if", VILLAGE, *supposed, "--intervention", "dinas-kesehatan,media")
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("ANDAI-ANDAI: bukan penilaian, dan tidak disimpan.")
        assert "SIMULASI" in result.stdout
        assert "Kelas: DASAR menjadi DASAR" in result.stdout
        assert "Sumber dana" in result.stdout
        assert "APBN, APBD, Perusahaan (CSR)" in result.stdout
        answer = json.loads((await kkb("what-if", VILLAGE, *supposed, "--json")).stdout)
        assert {one["input"] for one in answer["inputs"]} == {"profile.funding_sources", "profile.poktan.bkb"}
        assert "ANDAI" not in (await kkb("explain", VILLAGE)).stdout

    async def test_another_ruleset_and_what_it_does_not_look_at(self, kkb: Kkb, reported: str) -> None:
        supposed = ("--fact", "population=kosong", "--fact", "profile.work_plan=tidak")
        result = await kkb("what-if", VILLAGE, *supposed, "--ruleset", "web-2021-intended")
        assert result.exit_code == 0, result.output
        assert "menjadi TIDAK DAPAT DINILAI" in result.stdout
        assert "Tidak diperhitungkan aturan ini: profile.work_plan." in result.stdout

    @pytest.mark.parametrize(
        ("facts", "says"),
        [
            (["pus"], "Tulis fakta sebagai laporan.isian=nilai"),
            (["profile.pokja="], "belum disebut"),
            (["profile.pokja=ya", "profile.pokja=tidak"], "diandaikan dua kali"),
            (["profile=kosong", "profile.pokja=ya"], "diandaikan dua kali"),
            (["profile.pokjaa=ya"], "Permintaan tidak sesuai ketentuan (422)"),
            (["population.pus=banyak"], "#/facts/population/pus"),
        ],
    )
    async def test_what_cannot_be_supposed(self, kkb: Kkb, facts: list[str], says: str) -> None:
        result = await kkb("what-if", VILLAGE, *(part for fact in facts for part in ("--fact", fact)))
        assert result.exit_code == 1
        assert says in result.stderr
        assert "Traceback" not in result.output


class TestPath:
    async def test_actions_who_can_help_and_what_comes_of_it(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("path", VILLAGE, "--to", "mandiri")
        assert result.exit_code == 0, result.output
        answer = json.loads((await kkb("path", VILLAGE, "--to", "mandiri", "--json")).stdout)
        assert (answer["status"], answer["to"]) == ("found", "mandiri")
        words = ("SIMULASI", "Dari Dasar ke Mandiri", "Yang perlu dikerjakan", "Kegiatan Inpres", "usulan platform")
        assert all(word in result.stdout for word in words)
        for one in answer["actions"]:
            assert one["labels"]["id"] in result.stdout
        found = await kkb("what-if", VILLAGE, *_supposed(answer["suppose"]))
        assert f"menjadi {answer['then']['class'].upper()}" in found.stdout

    async def test_a_class_that_is_no_higher(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("path", VILLAGE, "--to", "dasar")
        assert result.exit_code == 0
        assert "Kelasnya sekarang Dasar; Dasar tidak lebih tinggi." in result.stdout

    async def test_no_such_class(self, kkb: Kkb, reported: str) -> None:
        result = await kkb("path", VILLAGE, "--to", "paripurna")
        assert result.exit_code == 1
        assert "query:to" in result.stderr


def _supposed(body: Any) -> list[str]:
    """A supposition as arguments of `kkb what-if`."""
    words = {True: "ya", False: "tidak", None: "kosong"}

    def facts(inner: Any, path: str = "") -> list[str]:
        if isinstance(inner, dict):
            return [one for name, value in inner.items() for one in facts(value, f"{path}.{name}" if path else name)]
        if isinstance(inner, bool) or inner is None:
            return ["--fact", f"{path}={words[inner]}"]
        value = ",".join(inner) or "tidak-ada" if isinstance(inner, list) else inner
        return ["--fact", f"{path}={value}"]

    planned = [one for done in body["interventions"] for one in ("--intervention", ",".join(done["actors"]))]
    return [*facts(body["facts"]), *planned]
