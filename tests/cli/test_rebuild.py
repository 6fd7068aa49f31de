"""`kkb rebuild` and `kkb re-emit` against the whole platform."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from cli import rebuild
from cli.client import Gateway
from tests.cli.conftest import Kkb
from tests.cli.platform import Platform
from tests.conftest import eventually


async def sql(platform: Platform, service: str, statement: str) -> list[Any]:
    engine = create_async_engine(platform.databases[service])
    async with engine.begin() as connection:
        result = await connection.execute(sa.text(statement))
        rows = list(result.all()) if result.returns_rows else []
    await engine.dispose()
    return rows


@pytest.fixture
async def village(platform: Platform) -> str:
    """A village that everybody knows; its event is the registry's newest."""
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        regions = (await client.get("/regions?within=16.01&level=village&limit=200")).json()["items"]
        taken = {one["region_code"] for one in (await client.get("/villages?region=16.01&limit=200")).json()["items"]}
        code = next(region["code"] for region in regions if region["code"] not in taken)
        made = await client.post("/villages", json={"region_code": code})
        assert made.status_code == 201, made.text

        async def is_assessed() -> bool:
            return (await client.get(f"/assessments/{made.json()['id']}")).status_code == 200

        await eventually(is_assessed)
        return str(made.json()["id"])


async def assessments(platform: Platform) -> list[Any]:
    """Of the villages that the registry has; other tests tell of villages by messages of their own."""
    known = {row[0] for row in await sql(platform, "registry", "SELECT id FROM villages")}
    rows = await sql(platform, "scoring", "SELECT village_id, a::text FROM assessments a ORDER BY 1")
    return [row for row in rows if row[0] in known]


@pytest.mark.parametrize("source", ["--from-events", "--from-services"])
async def test_scoring_comes_back(kkb: Kkb, platform: Platform, village: str, source: str) -> None:
    before = await assessments(platform)
    for table in ("assessments", "interventions", "reported_facts", "villages"):
        await sql(platform, "scoring", f"DELETE FROM {table}")
    done = await kkb("rebuild", "scoring", source, "--reason", "dikosongkan")
    assert done.exit_code == 0, done.output
    assert "Yang diperbaiki" in done.output
    assert f"Penilaian: {len(before)} diperiksa, {len(before)} diperbaiki, 0 diumumkan" in done.output
    assert await assessments(platform) == before


@pytest.mark.parametrize("source", ["--from-events", "--from-services"])
async def test_interventions_dry_run_writes_nothing(kkb: Kkb, platform: Platform, village: str, source: str) -> None:
    await sql(platform, "interventions", f"DELETE FROM villages WHERE id = '{village}'")
    done = await kkb("rebuild", "interventions", source, "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert (answer["state"], answer["dry_run"]) == ("done", True)
    if source == "--from-events":  # what is told again arrives there by itself
        assert answer["tables"]["villages"]["added"] == 1
        assert await sql(platform, "interventions", f"SELECT 1 FROM villages WHERE id = '{village}'") == []
    shown = await kkb("rebuild", "show", "interventions", answer["id"])
    assert "Yang akan berubah" in shown.output
    assert (await kkb("rebuild", "interventions", "--from-events")).exit_code == 0
    assert await sql(platform, "interventions", f"SELECT 1 FROM villages WHERE id = '{village}'") != []


async def test_one_source_must_be_named(kkb: Kkb) -> None:
    for arguments in ([], ["--from-events", "--from-services"]):
        done = await kkb("rebuild", "scoring", *arguments)
        assert done.exit_code == 1
        assert "Sebutkan salah satu" in done.output


async def test_a_re_emission_that_fails_leaves_no_rebuild_behind(
    kkb: Kkb, platform: Platform, village: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Gateway.post

    def post(self: Gateway, path: str, body: Any = None) -> Any:
        if path.startswith("/re-emissions/"):
            raise KeyboardInterrupt
        return real(self, path, body)

    monkeypatch.setattr(Gateway, "post", post)
    done = await kkb("rebuild", "scoring", "--from-services")
    assert done.exit_code == 1
    assert "Dibatalkan" in done.output
    assert await sql(platform, "scoring", "SELECT 1 FROM rebuilds WHERE finished_at IS NULL") == []


async def test_a_refused_rebuild_says_why_in_indonesian(kkb: Kkb, platform: Platform, village: str) -> None:
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        asked = {"source": "services", "reason": "uji"}
        waiting = (await client.post("/rebuilds/scoring", json=asked)).json()
    second = await kkb("rebuild", "scoring", "--from-events")
    assert second.exit_code == 1
    assert "Bertentangan dengan yang sudah tercatat (409)" in second.output
    assert f"Yang sudah ada: {waiting['id']}" in second.output
    listed = await kkb("rebuild", "list", "scoring", "--limit", "1")
    assert [word in listed.output for word in (waiting["id"], "menunggu pengumuman ulang", "uji")] == [True] * 3
    assert "Hanya 1 yang pertama" in listed.output
    cancelled = await kkb("rebuild", "cancel", "scoring", waiting["id"])
    assert cancelled.exit_code == 0, cancelled.output
    shown = await kkb("rebuild", "show", "scoring", waiting["id"])
    assert "gagal" in shown.output
    assert rebuild.REBUILD_FAILURES["cancelled"] in shown.output


async def test_re_emit_a_region(kkb: Kkb, platform: Platform, village: str) -> None:
    done = await kkb("re-emit", "registry", "--region", "16.01", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert answer["region"] == "16.01"
    assert answer["events"] >= 1
    words = await kkb("re-emit", "interventions", "--region", "16.01")
    assert "interventions: 0 peristiwa diumumkan ulang, posisi tidak ada." in words.output
    outside = await kkb("re-emit", "registry", "--region", "x")
    assert outside.exit_code == 1
