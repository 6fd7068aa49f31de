"""Reporting on a village, and what does not add up: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.callers import STRANGER, caller
from tests.conftest import app_of
from tests.registry.test_villages import desa, register

PLANNING = "family-planning-reports"
POPULATION = "population-reports"
METHODS = {"iud": 5, "mow": 1, "mop": 1, "implant": 10, "condom": 3, "injection": 60, "pill": 20}


@pytest.fixture
async def village(registry: httpx.AsyncClient) -> dict[str, Any]:
    """A new Kampung KB."""
    return await register(registry, await desa(registry, "33.24"))


async def report(
    registry: httpx.AsyncClient, village: dict[str, Any], kind: str, facts: dict[str, Any], **more: Any
) -> httpx.Response:
    headers = {**caller("reporter"), **more.pop("headers", {})}
    body = {"period": "2025-09", "facts": facts, **more}
    return await registry.post(f"/villages/{village['id']}/{kind}", json=body, headers=headers)


async def events(registry: httpx.AsyncClient, village: dict[str, Any]) -> list[dict[str, Any]]:
    async with app_of(registry).state.database.transaction() as session:
        query = sa.text("SELECT body FROM outbox WHERE region_code = :s ORDER BY id")
        rows = (await session.execute(query, {"s": village["region_code"]})).scalars()
        return [json.loads(body) for body in rows]


class TestReport:
    async def test_stranger(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        url = f"/villages/{village['id']}/profiles"
        answer = await registry.post(url, json={"period": "2025-09", "facts": {}}, headers=STRANGER)
        assert answer.status_code == 401

    async def test_role_without_the_scope(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        answer = await report(registry, village, "profiles", {}, headers=caller("partner"))
        assert answer.status_code == 403

    async def test_wrong_region(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        answer = await report(registry, village, "profiles", {}, headers=caller("reporter", region="33.27"))
        assert answer.status_code == 404

    @pytest.mark.parametrize(
        ("kind", "facts", "pointer"),
        [
            ("profiles", {"pokja": "ya"}, "#/facts/pokja"),
            ("profiles", {"pokja": 1}, "#/facts/pokja"),
            ("profiles", {"ketua": "x"}, "#/facts/ketua"),
            ("profiles", {"plkb_contact": "0812"}, "#/facts/plkb_contact"),
            ("profiles", {"funding_sources": ["apbx"]}, "#/facts/funding_sources/0"),
            ("profiles", {"funding_sources": ["apbd", "apbd"]}, "#/facts/funding_sources"),
            (POPULATION, {"pus": -1}, "#/facts/pus"),
            (POPULATION, {"pus": 1.5}, "#/facts/pus"),
            (POPULATION, {"pus": "12"}, "#/facts/pus"),
            (POPULATION, {"age_bands": [{"band": "0-6"}]}, "#/facts/age_bands/0/band"),
            (POPULATION, {"age_bands": [{"band": "0-4"}, {"band": "0-4"}]}, "#/facts/age_bands"),
            (PLANNING, {"methods": {"iud": -3}}, "#/facts/methods/iud"),
            (PLANNING, {"methods": {"spiral": 3}}, "#/facts/methods/spiral"),
        ],
    )
    async def test_invalid_facts(
        self, registry: httpx.AsyncClient, village: dict[str, Any], kind: str, facts: dict[str, Any], pointer: str
    ) -> None:
        answer = await report(registry, village, kind, facts)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("period", ["2025-13", "2025-9", "202509", "2015-12", "2999-01", 202509])
    async def test_invalid_period(self, registry: httpx.AsyncClient, village: dict[str, Any], period: Any) -> None:
        answer = await report(registry, village, "profiles", {}, period=period)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#/period"

    async def test_conflict_needs_the_current_revision(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        assert (await report(registry, village, "profiles", {"pokja": True})).status_code == 201
        assert (await report(registry, village, "profiles", {"pokja": False})).status_code == 428
        stale = await report(registry, village, "profiles", {"pokja": False}, headers={"If-Match": '"9"'})
        assert stale.status_code == 412
        revised = await report(registry, village, "profiles", {"pokja": False}, headers={"If-Match": '"1"'})
        assert revised.status_code == 201
        assert revised.json()["report"]["revision"] == 2
        late = await report(registry, village, "profiles", {"pokja": None}, headers={"If-Match": '"1"'})
        assert late.status_code == 412

    async def test_conflict_of_two_at_once_keeps_one(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        await report(registry, village, "profiles", {"pokja": True})
        headers = {"If-Match": '"1"'}
        answers = await asyncio.gather(
            *(report(registry, village, "profiles", {"pokja_members": n}, headers=headers) for n in range(5))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]

    async def test_happy_keeps_not_reported_apart_from_no(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        facts = {"pokja": False, "funding_sources": [], "poktan": {"bkb": True}}
        answer = await report(registry, village, "profiles", facts, simulated=True, source_system="demo")
        stored = answer.json()["report"]
        assert stored["facts"]["pokja"] is False
        assert stored["facts"]["secretariat"] is None
        assert stored["facts"]["funding_sources"] == []
        assert stored["facts"]["data_use"] is None
        assert stored["facts"]["poktan"] == {"bkb": True, "bkr": None, "bkl": None, "uppka": None, "pik_r": None}
        assert stored["simulated"] is True
        assert "reported_by" not in stored
        event = (await events(registry, village))[-1]
        assert event["type"] == "id.kampungkb.registry.profile-reported.v1"
        assert event["data"]["facts"] == stored["facts"]
        assert event["data"]["village"]["version"] == 2
        assert event["data"]["simulated"] is True

    async def test_happy_sources_live_side_by_side(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        assert (await report(registry, village, "profiles", {"pokja": True})).status_code == 201
        assert (
            await report(registry, village, "profiles", {"secretariat": True}, source_system="siga")
        ).status_code == 201
        listed = await registry.get(f"/villages/{village['region_code']}/profiles", headers=caller("reader"))
        assert [(r["source_system"], r["revision"]) for r in listed.json()["items"]] == [("siga", 1), ("manual", 1)]

    async def test_happy_versions_have_no_gaps(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        for month in range(1, 5):
            await report(registry, village, POPULATION, {"pus": 10 + month}, period=f"2025-0{month}")
        versions = [event["data"]["village"]["version"] for event in await events(registry, village)]
        assert versions == [1, 2, 3, 4, 5]

    async def test_history_is_kept(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        await report(registry, village, POPULATION, {"pus": 100})
        await report(registry, village, POPULATION, {"pus": 101}, headers={"If-Match": '"1"'})
        url = f"/villages/{village['id']}/{POPULATION}"
        current = (await registry.get(url, headers=caller("reader"))).json()["items"]
        everything = (await registry.get(url, params={"superseded": True}, headers=caller("reader"))).json()["items"]
        assert [r["facts"]["pus"] for r in current] == [101]
        assert [r["facts"]["pus"] for r in everything] == [101, 100]
        assert everything[1]["superseded_at"] is not None

    async def test_replay_of_the_same_report_changes_nothing(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        first = await report(registry, village, POPULATION, {"pus": 100})
        before = await events(registry, village)
        again = await report(registry, village, POPULATION, {"pus": 100})
        assert again.status_code == 200
        assert again.json()["unchanged"] is True
        assert again.json()["report"] == first.json()["report"]
        assert await events(registry, village) == before

    async def test_replay_with_a_key(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        key = {"Idempotency-Key": f"report-{village['id']}"}
        answers = await asyncio.gather(
            *(report(registry, village, POPULATION, {"pus": 7}, headers=key) for _ in range(50))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len(await events(registry, village)) == 2


class TestFindings:
    async def codes(self, registry: httpx.AsyncClient, village: dict[str, Any], **more: Any) -> list[str]:
        params = {"village": village["id"], **more}
        answer = await registry.get("/findings", params=params, headers=caller("reader"))
        return sorted(f["code"] for f in answer.json()["items"])

    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.get("/findings", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        await report(registry, village, POPULATION, {"pus": 253_066_083})
        own = {"headers": caller("reader", region="33.27"), "params": {"village": village["id"]}}
        assert (await registry.get("/findings", **own)).json()["items"] == []

    async def test_invalid(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.get("/findings?severity=x", headers=caller("reader"))).status_code == 422

    async def test_impossible_size_is_stored_and_shown(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        answer = await report(registry, village, POPULATION, {"pus": 253_066_083})
        assert answer.status_code == 201
        assert answer.json()["report"]["facts"]["pus"] == 253_066_083
        assert [f["code"] for f in answer.json()["findings"]] == ["impossible_size"]

    async def test_across_reports_of_a_month(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        await report(registry, village, POPULATION, {"pus": 90, "families_with_under_fives": 20})
        facts = {"methods": METHODS, "poktan_participants": {"bkb": 30}, "unmet_need": 91}
        await report(registry, village, PLANNING, facts)
        expected = ["participants_above_target", "unmet_need_above_couples", "users_above_couples"]
        assert await self.codes(registry, village) == expected

    async def test_what_is_missing_is_not_zero(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        await report(registry, village, POPULATION, {"pus": 500})
        await report(registry, village, PLANNING, {"methods": {"iud": 5}, "non_users": {"pregnant": 2}})
        assert await self.codes(registry, village) == []

    async def test_sum_over_couples(self, registry: httpx.AsyncClient, village: dict[str, Any]) -> None:
        reasons = {"pregnant": 10, "wants_child_soon": 10, "wants_child_later": 10, "wants_no_more": 10}
        await report(registry, village, POPULATION, {"pus": 141})
        await report(registry, village, PLANNING, {"methods": METHODS, "non_users": reasons})
        assert await self.codes(registry, village) == ["couples_do_not_add_up"]

    async def test_resolved_by_a_later_report_and_kept(
        self, registry: httpx.AsyncClient, village: dict[str, Any]
    ) -> None:
        await report(registry, village, PLANNING, {"methods": METHODS})
        await report(registry, village, POPULATION, {"pus": 90})
        assert await self.codes(registry, village) == ["users_above_couples"]
        await report(registry, village, POPULATION, {"pus": 190}, headers={"If-Match": '"1"'})
        assert await self.codes(registry, village) == []
        assert await self.codes(registry, village, resolved=True) == ["users_above_couples"]
