"""`kkb rulesets`: an officer's way from a file to a ruleset in force, and what it would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Kkb
from tests.scoring.rulesets.made_rulesets import made, stricter, with_a_gap


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(document: dict[str, Any]) -> str:
        file = tmp_path / f"{document['id']}.json"
        file.write_text(json.dumps(document))
        return str(file)

    return write


class TestRulesets:
    async def test_list_and_show(self, kkb: Kkb) -> None:
        listed = await kkb("rulesets", "list", "--status", "published")
        assert listed.exit_code == 0, listed.output
        assert "web-2021-intended" in listed.stdout
        assert "terbit" in listed.stdout
        shown = await kkb("rulesets", "show", "web-2021")
        assert "berlaku sekarang: ya" in shown.stdout
        document = json.loads((await kkb("rulesets", "show", "web-2021", "--document")).stdout)
        assert document | {"id": made("x")["id"], "status": "draft"} == made("x")

    async def test_show_one_that_is_not_there(self, kkb: Kkb) -> None:
        result = await kkb("rulesets", "show", "tidak-ada")
        assert result.exit_code == 1
        assert "Aturan penilaian tidak ditemukan" in result.stderr

    async def test_validate(self, kkb: Kkb, written: Any) -> None:
        wrong = await kkb("rulesets", "validate", written(with_a_gap()))
        assert wrong.exit_code == 1
        assert "Ada celah: nilai 2 sampai 2 tidak masuk pita mana pun" in wrong.stdout
        right = await kkb("rulesets", "validate", written(stricter()))
        assert right.exit_code == 0, right.output
        assert "dapat diterbitkan" in right.stdout

    async def test_publish_what_is_wrong_then_mended(self, kkb: Kkb, written: Any) -> None:
        refused = await kkb("rulesets", "publish", written(with_a_gap("uji-cli")))
        assert refused.exit_code == 1
        assert "Ada celah" in refused.stderr
        published = await kkb("rulesets", "publish", written(stricter("uji-cli")))
        assert published.exit_code == 0, published.output
        again = await kkb("rulesets", "publish", written(stricter("uji-cli")))
        assert again.exit_code == 1
        assert "tidak pernah berubah" in again.stderr

    async def test_put_in_force_and_retire(self, kkb: Kkb, written: Any) -> None:
        assert (await kkb("rulesets", "publish", written(made("uji-berlaku")))).exit_code == 0
        put = await kkb("rulesets", "put-in-force", "uji-berlaku", "--from", "2105-01-01")
        assert put.exit_code == 0, put.output
        listed = await kkb("rulesets", "in-force")
        assert "2105-01-01" in listed.stdout
        assert "berlaku sekarang" in listed.stdout
        assert (await kkb("rulesets", "retire", "uji-berlaku")).exit_code == 1
        assert (await kkb("rulesets", "put-in-force", "web-2021", "--from", "2105-01-01")).exit_code == 0
        assert (await kkb("rulesets", "retire", "uji-berlaku")).exit_code == 0

    async def test_what_those_who_follow_will_notice_is_said(self, kkb: Kkb) -> None:
        put = await kkb("rulesets", "put-in-force", "kkb-2026", "--from", "2105-02-01")
        assert put.exit_code == 0, put.output
        assert "harus membaca village-classified versi 2" in put.stdout
        assert "terlalu lama" in put.stdout
        back = await kkb("rulesets", "put-in-force", "web-2021", "--from", "2105-02-01")
        assert back.stdout.splitlines() == ["Aturan web-2021 berlaku mulai 2105-02-01."]

    async def test_a_day_that_has_passed(self, kkb: Kkb) -> None:
        result = await kkb("rulesets", "put-in-force", "web-2021", "--from", "2020-01-01")
        assert result.exit_code == 1
        assert "Tanggal ini sudah lewat" in result.stderr

    async def test_compare(self, kkb: Kkb, tmp_path: Path) -> None:
        table = tmp_path / "beda.csv"
        arguments = ("rulesets", "compare", "web-2021", "web-2021-intended", "--region", "33")
        result = await kkb(*arguments, "--villages", str(table))
        assert result.exit_code == 0, result.output
        assert "Dari web-2021 ke web-2021-intended, 33" in result.stdout
        assert "Kampung KB berpindah kelas" in result.stdout
        assert table.read_text(encoding="utf-8-sig").startswith("Kode wilayah;Provinsi")
        assert (await kkb(*arguments, "--villages", str(table))).exit_code == 1
