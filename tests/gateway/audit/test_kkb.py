"""`kkb audit`: list, head, export, verify."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.cli.conftest import Kkb, run
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway


@pytest.fixture(scope="module")
async def trail(start_gateway: StartGateway) -> Running:
    """A gateway with a trail of its own, so that it can be damaged."""
    running = await start_gateway()
    for _ in range(6):
        await running.issue("reader", region="98.85")
    return running


@pytest.fixture(scope="module")
def kkb(trail: Running) -> Kkb:
    """`kkb` with that gateway's administrator's key."""

    async def called(*arguments: str, key: str = trail.admin_key) -> Any:
        settings = {"KKB_URL": f"http://127.0.0.1:{trail.port}", "KKB_KEY": key}
        return await asyncio.to_thread(run, *arguments, **settings)

    return called


async def all_told(trail: Running, count: int) -> None:
    async def told() -> bool:
        answer = await trail.client.get("/audit?operation=issue_key", headers=trail.with_key())
        return len(answer.json()["items"]) >= count

    await eventually(told)


class TestList:
    async def test_a_stranger(self, kkb: Kkb) -> None:
        result = await kkb("audit", "list", key="kkb_x")
        assert result.exit_code == 1
        assert "(401)" in result.stderr

    async def test_shows_who_did_what(self, trail: Running, kkb: Kkb) -> None:
        await all_told(trail, 6)
        result = await kkb("audit", "list", "--operation", "issue_key", "--limit", "2")
        assert result.exit_code == 0, result.stderr
        assert "Administrator" in result.stdout
        assert "POST /api/v1/keys" in result.stdout
        assert "perubahan" in result.stdout
        assert "masih ada lagi" in result.stdout

    async def test_as_json(self, kkb: Kkb) -> None:
        result = await kkb("audit", "list", "--status", "201", "--kind", "change", "--json")
        assert {entry["status"] for entry in json.loads(result.stdout)} == {201}


class TestVerify:
    """Each damage is done to an export; that the same walk reads the gateway's own trail is shown once."""

    @pytest.fixture
    async def exported(self, trail: Running, kkb: Kkb, tmp_path: Path) -> list[dict[str, Any]]:
        await all_told(trail, 6)
        result = await kkb("audit", "export", "--out", str(tmp_path / "trail.jsonl"))
        assert result.exit_code == 0, result.stderr
        return [json.loads(line) for line in (tmp_path / "trail.jsonl").read_text().splitlines()]

    async def verify(self, kkb: Kkb, tmp_path: Path, entries: list[dict[str, Any]], *more: str) -> Any:
        file = tmp_path / "given.jsonl"
        file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        return await kkb("audit", "verify", "--file", str(file), *more)

    async def test_a_whole_trail_and_its_head(self, trail: Running, kkb: Kkb) -> None:
        await all_told(trail, 6)
        noted = (await kkb("audit", "head")).stdout.strip()
        result = await kkb("audit", "verify", "--head", noted)
        assert result.exit_code == 0, result.stdout + result.stderr
        assert "Jejak audit utuh" in result.stdout

    async def test_a_head_that_is_none(self, kkb: Kkb) -> None:
        result = await kkb("audit", "verify", "--head", "12")
        assert result.exit_code == 1
        assert "NOMOR:SIDIK" in result.stderr

    async def test_another_head_than_the_one_noted(self, kkb: Kkb) -> None:
        result = await kkb("audit", "verify", "--head", "2:" + "a" * 64)
        assert result.exit_code == 1
        assert "Catatan 2: berbeda dengan ujung yang dicatat" in result.stdout

    async def test_an_export_is_whole(self, exported: list[dict[str, Any]], kkb: Kkb, tmp_path: Path) -> None:
        assert (await self.verify(kkb, tmp_path, exported)).exit_code == 0

    async def test_names_what_was_done(self, exported: list[dict[str, Any]], kkb: Kkb, tmp_path: Path) -> None:
        changed = [{**entry, "status": 204} if entry["number"] == 3 else entry for entry in exported]
        missing = [entry for entry in exported if entry["number"] not in {3, 4}]
        moved = [*exported[:2], {**exported[3], "number": 3}, {**exported[2], "number": 4}, *exported[4:]]
        for entries, sentence in (
            (changed, "Catatan 3: isinya diubah."),
            (missing, "Catatan 3 sampai 4: hilang."),
            (moved, "Catatan 3: bukan di tempatnya; tempat asalnya 4."),
        ):
            result = await self.verify(kkb, tmp_path, entries)
            assert result.exit_code == 1
            assert sentence in result.stdout
            assert "TIDAK utuh" in result.stderr

    async def test_an_export_that_is_none(self, kkb: Kkb, tmp_path: Path) -> None:
        result = await self.verify(kkb, tmp_path, [{"a": 1}])
        assert result.exit_code == 1
        assert "bukan catatan" in result.stderr

    async def test_what_was_changed_in_the_database(self, trail: Running, kkb: Kkb) -> None:
        """The last of this file: the trail stays broken."""
        url = trail.gateway.own.state.audit_database.engine.url.set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        await connection.execute("GRANT ALL ON audit_entries TO CURRENT_USER")
        await connection.execute("ALTER TABLE audit_entries DISABLE TRIGGER refuse_changes")
        await connection.execute("DELETE FROM audit_entries WHERE number = 2")
        await connection.execute("UPDATE audit_entries SET caller_name = 'Orang lain' WHERE number = 5")
        await connection.execute(
            "INSERT INTO audit_entries SELECT number + 100000, gen_random_uuid(), kind, at, until, count, caller, caller_name, "
            "caller_region, credential, address, operation, method, resource, region, status, request_id, note, previous, "
            "digest FROM audit_entries WHERE number = 3"
        )
        await connection.close()
        result = await kkb("audit", "verify")
        assert result.exit_code == 1
        assert "Catatan 2: hilang." in result.stdout
        assert "Catatan 5: isinya diubah." in result.stdout
        assert "sampai 100.003: ditambahkan di luar rantai" in result.stdout
