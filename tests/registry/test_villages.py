"""Registering and changing Kampung KB: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.callers import STRANGER, caller
from tests.conftest import app_of, eventually


async def desa(registry: httpx.AsyncClient, region: str) -> str:
    """A desa of the region that has no Kampung KB yet."""
    query = {"within": region, "level": "village", "limit": 200}
    regions = (await registry.get("/regions", params=query, headers=caller("reader"))).json()
    taken = (await registry.get("/villages", params={"region": region, "limit": 200}, headers=caller("reader"))).json()
    used = {village["region_code"] for village in taken["items"]}
    return next(found["code"] for found in regions["items"] if found["code"] not in used)


async def register(registry: httpx.AsyncClient, code: str, **fields: Any) -> dict[str, Any]:
    answer = await registry.post("/villages", json={"region_code": code, **fields}, headers=caller("officer"))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def outbox(registry: httpx.AsyncClient, code: str) -> list[str]:
    async with app_of(registry).state.database.transaction() as session:
        query = sa.text("SELECT type FROM outbox WHERE region_code = :s ORDER BY id")
        return list((await session.execute(query, {"s": code})).scalars())


class TestRegisterVillage:
    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.post("/villages", json={"region_code": "33.26.01.2001"}, headers=STRANGER)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "WWW-Authenticate" in answer.headers

    async def test_role_without_the_scope(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.post("/villages", json={"region_code": "33.26.01.2001"}, headers=caller("reader"))
        assert answer.status_code == 403

    async def test_wrong_region(self, registry: httpx.AsyncClient) -> None:
        headers = caller("officer", region="33.26")
        answer = await registry.post("/villages", json={"region_code": "33.27.01.2001"}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:kampungkb:problem:region-forbidden"

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "#/region_code"),
            ({"region_code": "33.26.01.2001", "nama": "x"}, "#/nama"),
            ({"region_code": 11.1}, "#/region_code"),
            ({"region_code": "11.1"}, "#/region_code"),
            ({"region_code": "3326010001"}, "#/region_code"),
            ({"region_code": "33.26.01"}, "#/region_code"),
            ({"region_code": "33.26.01.2001", "launch_date": "2015-12-31"}, "#/launch_date"),
            ({"region_code": "33.26.01.2001", "launch_date": "2999-01-01"}, "#/launch_date"),
            ({"region_code": "33.26.01.2001", "launch_date": "2017-01-01", "launch_year": 2018}, "#/launch_date"),
            ({"region_code": "33.26.01.2001", "latitude": "109.6", "longitude": "-6.9"}, "#/latitude"),
            ({"region_code": "33.26.01.2001", "latitude": "-6.9"}, "#/latitude"),
            ({"region_code": "33.26.01.2001", "coverage": "kota"}, "#/coverage"),
            ({"region_code": "33.26.01.2001", "simulated": "yes"}, "#/simulated"),
            ({"region_code": "33.26.01.2001", "name": "a\u0000b"}, "#/name"),
        ],
    )
    async def test_invalid(self, registry: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
        answer = await registry.post("/villages", json=body, headers=caller("officer"))
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_unknown_region(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.post("/villages", json={"region_code": "33.26.01.2999"}, headers=caller("officer"))
        assert answer.status_code == 404
        assert "BPS" in answer.json()["detail"]

    async def test_conflict(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.01")
        first = await register(registry, code)
        again = await registry.post("/villages", json={"region_code": code}, headers=caller("officer"))
        assert again.status_code == 409
        assert again.json()["existing_id"] == first["id"]

    async def test_conflict_with_one_that_becomes_inactive_meanwhile(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.01")
        first = await register(registry, code)
        waits = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kkb-registry' "
            "AND datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with app_of(registry).state.database.transaction() as session:
            query = "SELECT FROM villages WHERE id = :id FOR NO KEY UPDATE"
            await session.execute(sa.text(query), {"id": first["id"]})
            second = asyncio.create_task(register(registry, code))
            await eventually(lambda: session.scalar(waits))
            ends = "UPDATE villages SET status = 'inactive' WHERE id = :id"
            await session.execute(sa.text(ends), {"id": first["id"]})
        assert (await second)["id"] != first["id"]

    async def test_happy(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.01")
        body = {"region_code": code.replace(".", ""), "name": "Kampung KB Melati", "launch_year": 2017}
        answer = await registry.post("/villages", json=body, headers=caller("officer", region="33.26"))
        assert answer.status_code == 201
        village = answer.json()
        assert village["region_code"] == code
        assert village["region_names"]["regency"] == "Kabupaten Pekalongan"
        assert village["launch_date"] is None
        assert answer.headers["ETag"] == '"1"'
        read = await registry.get(f"/villages/{code}", headers=caller("reader"))
        assert read.json() == village
        assert await outbox(registry, code) == ["id.kampungkb.registry.village-registered.v1"]

    async def test_replay_of_fifty_at_once_makes_one_row(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.02")
        headers = {**caller("officer"), "Idempotency-Key": "fifty-at-once"}
        answers = await asyncio.gather(
            *(registry.post("/villages", json={"region_code": code}, headers=headers) for _ in range(50))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 49
        assert await outbox(registry, code) == ["id.kampungkb.registry.village-registered.v1"]

    async def test_replay_of_a_key_for_something_else(self, registry: httpx.AsyncClient) -> None:
        headers = {**caller("officer"), "Idempotency-Key": "used-before"}
        first, second = await desa(registry, "33.26.02"), "33.26.03.2001"
        assert (await registry.post("/villages", json={"region_code": first}, headers=headers)).status_code == 201
        answer = await registry.post("/villages", json={"region_code": second}, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:kampungkb:problem:idempotency-key-reused"


class TestChangeVillage:
    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.patch("/villages/33.26.01.2001", json={}, headers=STRANGER)).status_code == 401

    async def test_wrong_region_looks_like_absent(self, registry: httpx.AsyncClient) -> None:
        village = await register(registry, await desa(registry, "33.26.03"))
        headers = {**caller("officer", region="33.27"), "If-Match": '"1"'}
        answer = await registry.patch(f"/villages/{village['id']}", json={"name": "x"}, headers=headers)
        assert answer.status_code == 404

    async def test_invalid_reference(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.patch("/villages/pekalongan", json={}, headers=caller("officer"))
        assert answer.status_code == 422

    async def test_conflict_without_and_with_stale_if_match(self, registry: httpx.AsyncClient) -> None:
        village = await register(registry, await desa(registry, "33.26.03"))
        url, change = f"/villages/{village['id']}", {"name": "Baru"}
        assert (await registry.patch(url, json=change, headers=caller("officer"))).status_code == 428
        stale = await registry.patch(url, json=change, headers={**caller("officer"), "If-Match": '"7"'})
        assert stale.status_code == 412
        assert stale.json()["current_etag"] == '"1"'

    async def test_happy_leaves_the_rest_alone(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.03")
        village = await register(registry, code, name="Lama", launch_year=2018)
        headers = {**caller("officer"), "If-Match": '"1"'}
        answer = await registry.patch(f"/villages/{village['id']}", json={"name": None}, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["name"] is None
        assert answer.json()["launch_year"] == 2018
        assert answer.headers["ETag"] == '"2"'
        assert await outbox(registry, code) == [
            "id.kampungkb.registry.village-registered.v1",
            "id.kampungkb.registry.village-changed.v1",
        ]

    async def test_inactive_makes_room_for_another(self, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "33.26.03")
        village = await register(registry, code)
        headers = {**caller("officer"), "If-Match": '"1"'}
        await registry.patch(f"/villages/{village['id']}", json={"status": "inactive"}, headers=headers)
        await register(registry, code)
        back = await registry.patch(
            f"/villages/{village['id']}", json={"status": "active"}, headers={**headers, "If-Match": '"2"'}
        )
        assert back.status_code == 409


class TestListVillages:
    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.get("/villages", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.get("/villages", params={"region": "33.27"}, headers=caller("reader", region="33.26"))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "query",
        ["desa=1", "limit=0", "limit=201", "cursor=zzz", "cursor=WyJhIiwiYiJd", "cursor=e30", "region=331", "status=x"],
    )
    async def test_invalid(self, registry: httpx.AsyncClient, query: str) -> None:
        assert (await registry.get(f"/villages?{query}", headers=caller("reader"))).status_code == 422

    async def test_happy_pages_cover_everything_once(self, registry: httpx.AsyncClient) -> None:
        codes = {(await register(registry, await desa(registry, "33.26.04")))["region_code"] for _ in range(5)}
        seen, cursor = [], None
        while True:
            params = {"region": "33.26.04", "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await registry.get("/villages", params=params, headers=caller("reader", region="33.26"))).json()
            seen += [village["region_code"] for village in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == sorted(seen)
        assert codes <= set(seen)
        assert len(seen) == len(set(seen))

    async def test_invalid_parameter_where_there_are_none(self, registry: httpx.AsyncClient) -> None:
        village = await register(registry, await desa(registry, "33.26.04"))
        answer = await registry.get(f"/villages/{village['id']}?fields=name", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:fields"

    async def test_region_prefix_is_no_string_prefix(self, registry: httpx.AsyncClient) -> None:
        own = caller("reader", region="33.2")
        assert (await registry.get("/villages", headers=own)).status_code == 401
