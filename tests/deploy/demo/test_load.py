"""Loading the demonstration district through the gateway: the classes come out of the real pipeline."""

from __future__ import annotations

import asyncio
import hashlib
import json
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
TAKEN_OVER = "33.26.01.2001"


@pytest.fixture(scope="module")
async def platform(servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(servers, tmp_path_factory.mktemp("demo-platform")) as running:
        yield running


@pytest.fixture(scope="module")
async def loaded(platform: Platform) -> Loaded:
    return await asyncio.to_thread(load, platform.url, platform.key)


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers, timeout=30) as opened:
        yield opened


async def interventions_at(client: httpx.AsyncClient, village: str) -> int:
    return len((await client.get("/interventions", params={"village": village, "limit": 200})).json()["items"])


class TestLoad:
    async def test_classes_come_out_as_planned(self, loaded: Loaded) -> None:
        assert loaded.classes == CLASSES
        assert loaded.as_planned
        assert loaded.done["villages"] == 285
        assert loaded.done.keys() == {"villages", "reports", "interventions", "determinations"}

    async def test_every_answer_says_that_it_is_simulated(self, loaded: Loaded, client: httpx.AsyncClient) -> None:
        counts = (await client.get("/class-counts", params={"region": "33.26"})).json()
        assert counts["total"]["simulated"] == counts["total"]["total"] == 285
        villages = (await client.get("/villages", params={"region": "33.26", "limit": 200})).json()["items"]
        assessments = (await client.get("/assessments", params={"region": "33.26", "limit": 200})).json()["items"]
        done = (await client.get("/interventions", params={"region": "33.26", "limit": 200})).json()["items"]
        assert all(one["simulated"] for one in (*villages, *assessments, *done))

    async def test_the_list_of_july_2024_is_determined_and_marked_as_simulated(
        self, loaded: Loaded, client: httpx.AsyncClient
    ) -> None:
        assert loaded.done["determinations"] == 1
        answer = await client.get("/determinations", params={"region": "33.26", "period": "2024-07"})
        (found,) = answer.json()["items"]
        header = found["header"]
        assert header["counts"] == {
            "villages": 285,
            "classes": CLASSES,
            "not_assessable": 0,
            "without_reports": 42,
            "simulated": 285,
            "inactive": 0,
        }
        assert (header["simulated"], header["ruleset"]["id"]) == (True, "web-2021")
        assert "SIMULASI" in header["decree"]["number"]
        path = f"/determinations/{header['id']}"
        content = (await client.get(f"{path}/content")).content
        assert hashlib.sha256(content).hexdigest() == found["digest"]
        villages = json.loads(content)["villages"]
        assert len(villages) == 285
        assert all(one["simulated"] for one in villages)
        page = (await client.get(f"{path}/document")).text
        assert "285 dari 285 Kampung KB memakai data buatan" in page
        sheet = await client.get(f"{path}/list.xlsx")
        assert sheet.content.startswith(b"PK")
        assert "simulasi" in sheet.headers["Content-Disposition"]

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

    async def test_again_changes_nothing_and_a_real_village_stays_apart(
        self, loaded: Loaded, platform: Platform, client: httpx.AsyncClient
    ) -> None:
        """A desa has got a real Kampung KB in place of the simulated one, and the load is run once more."""
        simulated = await client.get(f"/villages/{TAKEN_OVER}")
        headers = {"If-Match": simulated.headers["ETag"]}
        await client.patch(f"/villages/{TAKEN_OVER}", json={"status": "inactive"}, headers=headers)
        assert (await client.post("/villages", json={"region_code": TAKEN_OVER})).status_code == 201
        again = await asyncio.to_thread(load, platform.url, platform.key)
        assert again.done == {f"{what} there": count for what, count in loaded.done.items()}
        assert sum(again.classes.values()) == 285
        real = (await client.get(f"/assessments/{TAKEN_OVER}")).json()
        assert (real["simulated"], real["without_reports"], real["interventions"]["count"]) == (False, True, 0)

    async def test_with_another_key_nothing_is_added_to_a_real_village(
        self, loaded: Loaded, platform: Platform, client: httpx.AsyncClient
    ) -> None:
        draft = {"name": "Lain", "owner": "Lain", "roles": ["administrator"], "region": None, "expires_at": None}
        key = (await client.post("/keys", json=draft)).json()["key"]
        before = await interventions_at(client, "33.26.01.2009")
        with pytest.raises(LoadFailure, match=r"33\.26\.01\.2001"):
            await asyncio.to_thread(load, platform.url, key)
        assert await interventions_at(client, "33.26.01.2009") == before


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
