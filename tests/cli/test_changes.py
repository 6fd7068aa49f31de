"""`kkb changes` and `kkb checksums`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from kit.changes import cursor
from kit.changes.cursor import Place
from tests.cli.conftest import Kkb
from tests.cli.platform import Platform
from tests.conftest import REPOSITORY

DISTRICT = "33.24.03"
VILLAGE = f"{DISTRICT}.2001"


def items(printed: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in printed.splitlines()]


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {platform.key}"}
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
async def village(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/villages", json={"region_code": VILLAGE, "name": "Kampung KB Uji"})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def told(client: httpx.AsyncClient, village: dict[str, Any]):
    async def tell(name: str) -> None:
        path = f"/villages/{village['id']}"
        etag = (await client.get(path)).headers["etag"]
        answer = await client.patch(path, json={"name": name}, headers={"If-Match": etag})
        assert answer.status_code == 200, answer.text

    return tell


class TestChanges:
    async def test_everything_first_then_what_is_new(self, kkb: Kkb, village, told, tmp_path: Path) -> None:
        asked = ("changes", "--service", "registry", "--since-file", str(tmp_path / "since"), "--region", DISTRICT)

        async def printed_until(name: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            while not found or found[-1]["event"]["data"]["name"] != name:
                result = await kkb(*asked)
                assert result.exit_code == 0, result.output
                found += items(result.stdout)
            return found

        await told("Pertama")
        first = await printed_until("Pertama")
        assert {item["entity"] for item in first} == {f"village/{village['id']}"}
        assert (await kkb(*asked)).stdout == ""
        await told("Kedua")
        (new,) = await printed_until("Kedua")
        assert new["position"] > first[-1]["position"]

    async def test_what_could_not_be_printed_is_printed_again(
        self, platform: Platform, village, tmp_path: Path
    ) -> None:
        file = tmp_path / "since"
        with Path("/dev/full").open("w") as full:
            ended = await asyncio.to_thread(
                subprocess.run, command(platform, file), stdout=full, stderr=subprocess.DEVNULL, check=False
            )
        assert ended.returncode != 0
        assert not file.exists()

    async def test_follow_prints_what_comes(self, platform: Platform, told, tmp_path: Path) -> None:
        await told("Sebelum")
        arguments = command(platform, tmp_path / "since", "--follow")
        process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, cwd=REPOSITORY)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                await printed(process.stdout, "Sebelum")
                await told("Sesudah")
                await printed(process.stdout, "Sesudah")
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 130
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert (tmp_path / "since").read_text().strip()

    async def test_a_feed_that_began_anew(self, kkb: Kkb, tmp_path: Path) -> None:
        file = tmp_path / "since"
        kept = cursor.write("registry", Place(uuid4(), 3))
        file.write_text(kept)
        result = await kkb("changes", "--service", "registry", "--since-file", str(file))
        assert result.exit_code == 1
        assert "dimulai dari awal lagi" in result.stderr
        assert f"Hapus {file}" in result.stderr
        assert file.read_text() == kept

    async def test_a_file_of_another_feed(self, kkb: Kkb, tmp_path: Path) -> None:
        file = tmp_path / "since"
        file.write_text(cursor.write("scoring", Place(uuid4(), 3)))
        result = await kkb("changes", "--service", "registry", "--since-file", str(file))
        assert result.exit_code == 1
        assert "query:since" in result.stderr

    async def test_an_unknown_type(self, kkb: Kkb, tmp_path: Path) -> None:
        result = await kkb("changes", "--service", "registry", "--since-file", str(tmp_path / "s"), "--type", "x")
        assert result.exit_code == 1
        assert "query:type/0" in result.stderr

    async def test_a_file_that_cannot_be_written(self, kkb: Kkb, tmp_path: Path) -> None:
        result = await kkb("changes", "--service", "registry", "--since-file", str(tmp_path / "none" / "since"))
        assert result.exit_code == 1
        assert "tidak dapat ditulis" in result.stderr


def command(platform: Platform, file: Path, *more: str) -> list[str]:
    asked = ["changes", "--service", "registry", "--region", DISTRICT, "--since-file", str(file), *more]
    access = ["--url", platform.url, "--key-file", str(platform.key_file)]
    return [sys.executable, "-m", "cli.main", *access, *asked]


async def printed(stream: asyncio.StreamReader, name: str) -> None:
    while json.loads(await stream.readline())["event"]["data"]["name"] != name:
        pass


class TestChecksums:
    async def test_services_that_hold_the_same(self, kkb: Kkb, village) -> None:
        result = await kkb("checksums", "--region", DISTRICT, "--wait", "60")
        assert result.exit_code == 0, result.output
        assert "BERBEDA" not in result.stdout
        (villages,) = [one.split() for one in result.stdout.splitlines() if one.strip().startswith("Kampung KB")]
        *held, verdict = villages[2:]
        assert (held[0::2], len(set(held[1::2])), verdict) == (["1", "1", "1"], 1, "sama")
        assert "hanya satu layanan" in result.stdout

    async def test_what_differs_and_where(self, kkb: Kkb, platform: Platform, village) -> None:
        assert (await kkb("checksums", "--region", DISTRICT, "--wait", "60")).exit_code == 0
        database = await asyncpg.connect(platform.databases["scoring"].replace("+asyncpg", ""))
        change = "UPDATE villages SET status = $1 WHERE region_code = $2"
        try:
            await database.execute(change, "inactive", VILLAGE)
            result = await kkb("checksums", "--region", "33.24")
            shown = json.loads((await kkb("checksums", "--region", "33.24", "--json")).stdout)
        finally:
            await database.execute(change, "active", VILLAGE)
            await database.close()
        assert result.exit_code == 1
        assert "BERBEDA" in result.stdout
        (part,) = [one for one in result.stdout.splitlines() if DISTRICT in one]
        assert part.split()[:3] == ["Kampung", "KB", DISTRICT]
        assert shown["same"] is False
        assert set(shown["services"]) == {"registry", "interventions", "scoring"}
        assert (await kkb("checksums", "--region", "33.24")).exit_code == 0

    async def test_a_region_that_is_none(self, kkb: Kkb) -> None:
        result = await kkb("checksums", "--region", "x")
        assert result.exit_code == 1
        assert "query:region" in result.stderr
