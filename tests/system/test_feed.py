"""A client that knows nothing but the gateway: it follows the feeds, keeps a copy, and proves that it holds the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from contracts.regions import is_within
from deploy.embedded.throwaway import ThrowawayServers
from tests.cli.platform import Platform, running_platform
from tests.conftest import eventually
from tests.documented import digest, line

REGENCY = "33.24"
VILLAGES = (f"{REGENCY}.03.2001", f"{REGENCY}.03.2002", f"{REGENCY}.04.2001", f"{REGENCY}.05.2001")
ELSEWHERE = "33.25.03.2001"
SERVICES = ("registry", "interventions", "scoring")
FOLLOWED = {"registry": ("village", "report"), "interventions": ("intervention",), "scoring": ("assessment",)}
"""What each feed tells of: of these its owner's checksums are compared with the copy."""
PROFILE = {"pokja": True, "pokja_members": 12, "funding_sources": ["apbd"], "data_use": [], "poktan": {"bkb": True}}
INTERVENTION = {
    "date": "2025-09-12",
    "place": "Balai desa",
    "title": "Penyuluhan",
    "description": "Penyuluhan bersama",
    "family_function": "ekonomi",
    "target_groups": ["pus"],
    "actors": [{"code": "dinas-kesehatan"}],
}


class Copy:
    """What one client keeps: of each entity the newest event's line, with its village's code."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str], region: str | None = None) -> None:
        self._client = client
        self._headers = headers
        self._region = region
        self._since: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self._lines: dict[str, tuple[str, str]] = {}
        self.positions: dict[str, list[int]] = defaultdict(list)
        self.tombstones: set[str] = set()

    async def follow(self, service: str, **query: Any) -> int:
        """Read on to the end; how many events came."""
        read = 0
        while True:
            asked = {"region": self._region, "since": self._since.get(service), "limit": 5, **query}
            given = {name: value for name, value in asked.items() if value is not None}
            answer = await self._client.get(f"/changes/{service}", params=given, headers=self._headers)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            for item in page["items"]:
                self.positions[service].append(item["position"])
                self._apply(item)
            read += len(page["items"])
            self._since[service] = page["next_since"]
            if not page["more"]:
                return read

    def _apply(self, item: dict[str, Any]) -> None:
        entity, data = item["entity"], item["event"]["data"]
        kind = entity.partition("/")[0]
        version, name, document = getattr(self, f"_{kind}")(entity, data)
        if version < self._versions.get(entity, 0):
            return
        self._versions[entity] = version
        self._lines[entity] = (item["event"]["subject"], line(name, document))
        (self.tombstones.add if item["tombstone"] else self.tombstones.discard)(entity)

    def _village(self, entity: str, data: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        code = data["village"]["region_code"]
        state = {"name": data["name"], "region_code": code, "status": data["status"]}
        return data["village"]["version"], entity, state

    def _report(self, entity: str, data: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        return data["revision"], f"{entity}@{data['revision']}", data["facts"]

    def _intervention(self, entity: str, data: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        document = {"date": data["date"], "village": data["village"]["id"], "withdrawn": data["withdrawn"]}
        return data["version"], f"{entity}@{data['version']}", document

    def _assessment(self, entity: str, data: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        version = data["village"]["version"]
        document = {"class": data["village_class"], "ruleset_digest": data["ruleset_digest"]}
        return version, f"{entity}@{version}", document

    def held(self, kind: str, region: str | None) -> tuple[int, str]:
        """Count and digest of what the copy holds of one kind in a region."""
        inside = [
            text
            for entity, (code, text) in self._lines.items()
            if entity.startswith(f"{kind}/") and is_within(code, region)
        ]
        return len(inside), digest(inside)


class World:
    """The platform, as an office works with it."""

    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}"}

    async def send(self, method: str, path: str, body: Any, *, version: int | None = None) -> Any:
        headers = self.headers | ({} if version is None else {"If-Match": f'"{version}"'})

        async def accepted() -> Any:
            answer = await self.client.request(method, path, json=body, headers=headers)
            # a village that was registered just now may not be known to the interventions service yet
            assert answer.status_code in {200, 201} or (path, answer.status_code) == ("/interventions", 404), (
                answer.text
            )
            return answer.json() if answer.is_success else None

        return await eventually(accepted)

    async def checksums(self, service: str, region: str | None, headers: dict[str, str] | None = None) -> Any:
        query = {} if region is None else {"region": region}
        answer = await self.client.get(f"/checksums/{service}", params=query, headers=headers or self.headers)
        assert answer.status_code == 200, answer.text
        return {kind["kind"]: kind for kind in answer.json()["kinds"]}

    async def settled(self) -> bool:
        """Whether every projection holds what its owner does."""
        held: dict[str, set[tuple[int, str]]] = defaultdict(set)
        for service in SERVICES:
            for kind, found in (await self.checksums(service, None)).items():
                held[kind].add((found["count"], found["digest"]))
        return all(len(each) == 1 for each in held.values())

    async def key(self, *roles: str, region: str | None) -> dict[str, str]:
        draft = {"name": "Uji", "owner": "Dinas Uji", "roles": roles, "region": region, "expires_at": None}
        answer = await self.client.post("/keys", json=draft, headers=self.headers)
        return {"Authorization": f"Bearer {answer.json()['key']}"}


async def live(world: World) -> None:
    """What happens in an office: registering, reporting, correcting, withdrawing."""
    villages = [await world.send("POST", "/villages", {"region_code": code}) for code in (*VILLAGES, ELSEWHERE)]
    first, second, third, *_ = (village["id"] for village in villages)
    await world.send("PATCH", f"/villages/{first}", {"name": 'Kampung KB "Melati" \u2013 1'}, version=1)
    for village in villages:
        report = {"period": "2025-09", "facts": PROFILE}
        await world.send("POST", f"/villages/{village['id']}/profiles", report)
    revised = {"period": "2025-09", "facts": PROFILE | {"pokja_members": None, "poktan": {"bkb": None}}}
    await world.send("POST", f"/villages/{first}/profiles", revised, version=1)
    nothing = {"period": "2025-08", "facts": {}, "source_system": "siga"}
    await world.send("POST", f"/villages/{second}/family-planning-reports", nothing)
    bands = {"pus": 7, "age_bands": [{"band": "0-4", "male": 0}, {"band": "75+"}]}
    await world.send("POST", f"/villages/{second}/population-reports", {"period": "2025-09", "facts": bands})
    done = [
        await world.send("POST", "/interventions", INTERVENTION | {"village": village["id"]}) for village in villages
    ]
    await world.send("PATCH", f"/interventions/{done[0]['id']}", {"date": "2025-09-13"}, version=1)
    gone = {"reason": "Tercatat dua kali"}
    await world.send("POST", f"/interventions/{done[1]['id']}/withdrawal", gone, version=1)
    await world.send("PATCH", f"/villages/{third}", {"status": "inactive"}, version=2)


@pytest.fixture(scope="module")
async def platform(servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running_platform(servers, tmp_path_factory.mktemp("feed-platform")) as running:
        yield running


@pytest.fixture(scope="module")
async def world(platform: Platform) -> AsyncIterator[World]:
    async with httpx.AsyncClient(base_url=f"{platform.url}/api/v1", timeout=60) as client:
        lived = World(client, platform.key)
        await live(lived)
        await eventually(lived.settled)
        yield lived


class TestFollowing:
    async def test_stranger(self, world: World) -> None:
        for service in SERVICES:
            assert (await world.client.get(f"/changes/{service}")).status_code == 401
            assert (await world.client.get(f"/checksums/{service}")).status_code == 401

    async def test_wrong_region(self, world: World) -> None:
        headers = await world.key("reader", region="33.25")
        for path in (f"/{what}/{service}" for what in ("changes", "checksums") for service in SERVICES):
            answer = await world.client.get(path, params={"region": REGENCY}, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")

    async def test_invalid_and_conflict(self, world: World) -> None:
        registry = (await world.client.get("/changes/registry", headers=world.headers)).json()["next_since"]
        for query, status in (({"type": "profile-reported"}, 422), ({"since": registry}, 422), ({"x": "1"}, 422)):
            answer = await world.client.get("/changes/scoring", params=query, headers=world.headers)
            assert answer.status_code == status, answer.text

    async def test_a_copy_holds_what_its_owner_holds(self, world: World) -> None:
        copy = Copy(world.client, world.headers)
        for service, kinds in FOLLOWED.items():
            assert await copy.follow(service) > 0
            assert copy.positions[service] == sorted(set(copy.positions[service]))
            for region in (None, "33", REGENCY, f"{REGENCY}.03", VILLAGES[0], "91"):
                owned = await world.checksums(service, region)
                for kind in kinds:
                    assert (owned[kind]["count"], owned[kind]["digest"]) == copy.held(kind, region), (kind, region)
                    for part in owned[kind]["parts"]:
                        assert (part["count"], part["digest"]) == copy.held(kind, part["region_code"])
        assert [copy.held(kind, None)[0] for kind in ("village", "report", "intervention", "assessment")] == [
            5,
            7,
            5,
            5,
        ]
        assert len(copy.tombstones) == 1

    async def test_a_region_of_its_own(self, world: World) -> None:
        headers = await world.key("reader", region=REGENCY)
        copy = Copy(world.client, headers)
        for service, kinds in FOLLOWED.items():
            await copy.follow(service)
            owned = await world.checksums(service, None, headers)
            for kind in kinds:
                assert (
                    (owned[kind]["count"], owned[kind]["digest"]) == copy.held(kind, REGENCY) == copy.held(kind, None)
                )
        assert copy.held("village", None)[0] == len(VILLAGES)

    async def test_replay_from_the_beginning_changes_nothing(self, world: World) -> None:
        copy = Copy(world.client, world.headers)
        for _ in range(2):
            for service in SERVICES:
                copy._since.clear()
                await copy.follow(service)
        owned = await world.checksums("registry", None)
        assert copy.held("report", None) == (owned["report"]["count"], owned["report"]["digest"])

    async def test_what_changes_arrives_by_waiting_and_at_the_moment_of_the_checksums(self, world: World) -> None:
        copy = Copy(world.client, world.headers, REGENCY)
        await copy.follow("registry")
        village = (await world.client.get(f"/villages/{VILLAGES[3]}", headers=world.headers)).json()
        await world.send("PATCH", f"/villages/{village['id']}", {"name": "Baru"}, version=village["version"])
        assert await copy.follow("registry", wait=25) == 1
        answer = await world.client.get("/checksums/registry", params={"region": REGENCY}, headers=world.headers)
        now = answer.json()
        assert now["settled"] is True
        assert now["as_of"] >= copy.positions["registry"][-1]
        (villages, _) = now["kinds"]
        assert (villages["count"], villages["digest"]) == copy.held("village", REGENCY)
