"""Loading the demonstration district through the gateway: the classes come out of the real pipeline."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.gateway import LoadFailure
from deploy.demo.load import Loaded, load, main
from deploy.embedded.throwaway import ThrowawayServers
from tests.cli.platform import Platform, running_platform

CLASSES = {"dasar": 244, "berkembang": 22, "mandiri": 7, "berkelanjutan": 12}


@pytest.fixture(scope="module")
async def platform(servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(servers, tmp_path_factory.mktemp("demo-platform")) as running:
        yield running


@pytest.fixture(scope="module")
async def loaded(platform: Platform) -> Loaded:
    return await load(platform.url, platform.key)


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers, timeout=30) as opened:
        yield opened


class TestLoad:
    async def test_classes_come_out_as_planned(self, loaded: Loaded) -> None:
        assert loaded.classes == CLASSES
        assert loaded.as_planned
        assert loaded.done["villages"] == 285
        assert loaded.done.keys() == {"villages", "reports", "interventions"}

    async def test_again_changes_nothing(self, loaded: Loaded, platform: Platform) -> None:
        again = await load(platform.url, platform.key)
        assert again.classes == CLASSES
        assert again.done == {f"{what} there": count for what, count in loaded.done.items()}

    async def test_every_answer_says_that_it_is_simulated(self, loaded: Loaded, client: httpx.AsyncClient) -> None:
        counts = (await client.get("/class-counts", params={"region": "33.26"})).json()
        assert counts["total"]["simulated"] == counts["total"]["total"] == 285
        villages = (await client.get("/villages", params={"region": "33.26", "limit": 200})).json()["items"]
        assessments = (await client.get("/assessments", params={"region": "33.26", "limit": 200})).json()["items"]
        done = (await client.get("/interventions", params={"region": "33.26", "limit": 200})).json()["items"]
        assert all(one["simulated"] for one in (*villages, *assessments, *done))

    async def test_findings_are_there_to_be_seen(self, loaded: Loaded, client: httpx.AsyncClient) -> None:
        found = (await client.get("/findings", params={"region": "33.26", "limit": 200})).json()["items"]
        assert {finding["code"] for finding in found} >= {
            "users_above_couples",
            "participants_above_target",
            "impossible_size",
            "couples_do_not_add_up",
            "part_above_families",
            "trained_above_members",
        }

    async def test_a_village_of_others_is_not_mixed_with_made_up_data(
        self, servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        async with running_platform(servers, tmp_path_factory.mktemp("real-platform")) as other:
            headers = {"Authorization": f"Bearer {other.key}"}
            async with httpx.AsyncClient(base_url=f"{other.url}/api/v1", headers=headers) as real:
                assert (await real.post("/villages", json={"region_code": "33.26.01.2001"})).status_code == 201
            with pytest.raises(LoadFailure, match=r"33\.26\.01\.2001"):
                await load(other.url, other.key)


class TestCommand:
    async def test_a_wrong_key_is_one_line(
        self, platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "key").write_text("kkb_nobody")
        assert await asyncio.to_thread(main, ["--url", platform.url, "--key-file", str(tmp_path / "key")]) == 1
        told = capsys.readouterr()
        assert "401" in told.err
        assert told.err.count("\n") == 1
        assert told.out == ""

    def test_an_absent_gateway_is_one_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        (tmp_path / "key").write_text("kkb_nobody")
        assert main(["--url", f"http://127.0.0.1:{port}", "--key-file", str(tmp_path / "key")]) == 1
        assert capsys.readouterr().err == f"The gateway does not answer at http://127.0.0.1:{port}.\n"

    async def test_it_tells_what_it_did(
        self, loaded: Loaded, platform: Platform, capsys: pytest.CaptureFixture[str]
    ) -> None:
        given = ["--url", platform.url, "--key-file", str(platform.key_file)]
        assert await asyncio.to_thread(main, given) == 0
        assert "SIMULASI): dasar 244, berkembang 22, mandiri 7, berkelanjutan 12" in capsys.readouterr().out
