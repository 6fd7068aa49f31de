"""The service as a whole: its contract can be written, its migrations are complete, its lists are read."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kit.migrations import drift
from kit.process import contract_application
from services.interventions.service import SERVICE
from tests.callers import STRANGER, caller
from tests.conftest import app_of

LISTS = ["/actors", "/family-functions", "/target-groups", "/funding-sources", "/inpres", "/inpres/programmes"]
SINGLES = ["/actors/puskesmas", "/inpres/programmes/4", "/inpres/kegiatan/4-15"]


def test_contract_names_an_access_rule_for_every_operation_of_its_own_rooms() -> None:
    contract = contract_application(SERVICE).openapi()
    operations = {
        operation["operationId"]: operation["security"]
        for path in contract["paths"].values()
        for operation in path.values()
        if set(operation["tags"]) <= set(SERVICE.tags)
    }
    assert len(operations) == 15
    assert {scope for rules in operations.values() for rule in rules for scope in rule["key"]} == {
        "interventions:read",
        "interventions:write",
    }


async def test_migrations_are_complete(interventions: httpx.AsyncClient) -> None:
    async with app_of(interventions).state.database.engine.connect() as connection:
        assert await connection.run_sync(drift, "interventions") == []


class TestReferenceData:
    @pytest.mark.parametrize("path", LISTS + SINGLES)
    async def test_stranger(self, interventions: httpx.AsyncClient, path: str) -> None:
        assert (await interventions.get(path, headers=STRANGER)).status_code == 401
        assert (await interventions.get(path, headers=caller("operator"))).status_code == 403

    @pytest.mark.parametrize("path", LISTS)
    async def test_unknown_filter(self, interventions: httpx.AsyncClient, path: str) -> None:
        answer = await interventions.get(f"{path}?jenis=1", headers=caller("reader"))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "query:jenis"

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/actors/dinas-x", 404),
            ("/actors/DINAS", 422),
            ("/inpres/kegiatan/1-03", 404),
            ("/inpres/kegiatan/58", 422),
            ("/inpres/programmes/9", 422),
        ],
    )
    async def test_absent(self, interventions: httpx.AsyncClient, path: str, status: int) -> None:
        assert (await interventions.get(path, headers=caller("reader"))).status_code == status

    @pytest.mark.parametrize(
        ("path", "member", "items"),
        [
            ("/actors", "actors", 38),
            ("/actors?pentahelix=dunia_usaha", "actors", 3),
            ("/family-functions", "family_functions", 9),
            ("/target-groups", "target_groups", 9),
            ("/funding-sources", "funding_sources", 6),
            ("/inpres", "sasaran", 4),
            ("/inpres/programmes", "programmes", 8),
            ("/inpres/programmes?sasaran=3", "programmes", 5),
        ],
    )
    async def test_lists(self, interventions: httpx.AsyncClient, path: str, member: str, items: int) -> None:
        answer = await interventions.get(path, headers=caller("reader", region="33.26"))
        assert answer.status_code == 200
        assert len(answer.json()[member]) == items
        assert answer.json()["provenance"]

    async def test_kegiatan_knows_its_place_and_who_answers_for_it(self, interventions: httpx.AsyncClient) -> None:
        kegiatan: dict[str, Any] = (await interventions.get("/inpres/kegiatan/4-15", headers=caller("reader"))).json()
        assert kegiatan["name"] == "Dapur Sehat Atasi Stunting (DASHAT)"
        assert (kegiatan["programme"], kegiatan["sasaran"]) == ("4", "3")
        assert kegiatan["responsible"]["code"] == "bkkbn"
        programme = (await interventions.get("/inpres/programmes/4", headers=caller("reader"))).json()
        assert programme["kegiatan"][14] == kegiatan

    async def test_actor(self, interventions: httpx.AsyncClient) -> None:
        actor = (await interventions.get("/actors/opd-ppkb", headers=caller("reader"))).json()
        assert (actor["web_kkb_number"], actor["programme_own"], actor["note"]) == (26, True, None)
