"""Listing interventions: stranger, wrong region, invalid, happy."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.callers import STRANGER, caller
from tests.interventions.given import known_village, recorded

DISTRICT = "99.77.01"


async def listed(interventions: httpx.AsyncClient, own: str | None = None, **query: Any) -> list[str]:
    """Titles of all pages."""
    titles: list[str] = []
    cursor = None
    while True:
        params = query | ({"cursor": cursor} if cursor else {})
        answer = await interventions.get("/interventions", params=params, headers=caller("reader", region=own))
        assert answer.status_code == 200, answer.text
        titles += [item["title"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return titles


@pytest.fixture(scope="module")
async def village(interventions: httpx.AsyncClient) -> tuple[str, str]:
    """A village with six interventions, A to F, and another one nearby with one, G."""
    number, code = await known_village(interventions, DISTRICT)
    about: dict[str, dict[str, Any]] = {
        "A": {"date": "2024-01-05"},
        "B": {"date": "2024-03-01", "actors": [{"code": "media"}], "kegiatan": "2-01"},
        "C": {"date": "2024-03-01", "actors": [{"code": "rumah-sakit-klinik"}], "kegiatan": "2-02"},
        "D": {
            "date": "2024-06-30",
            "actors": [{"code": "media"}, {"code": "rumah-sakit-klinik", "pentahelix": "dunia_usaha"}],
            "family_function": "reproduksi",
        },
        "E": {"date": "2025-01-01", "simulated": True},
        "F": {"date": "2025-02-01"},
    }
    for title, fields in about.items():
        made = await recorded(interventions, number, title=title, **fields)
    await interventions.post(
        f"/interventions/{made['id']}/withdrawal",
        json={"reason": "Salah desa"},
        headers={**caller("officer"), "If-Match": '"1"'},
    )
    other, _ = await known_village(interventions, "99.77.02")
    await recorded(interventions, other, title="G", date="2024-12-31")
    return number, code


class TestStranger:
    async def test_without_identity(self, interventions: httpx.AsyncClient) -> None:
        assert (await interventions.get("/interventions", headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, interventions: httpx.AsyncClient) -> None:
        assert (await interventions.get("/interventions", headers=caller("operator"))).status_code == 403


class TestWrongRegion:
    async def test_asked_for(self, interventions: httpx.AsyncClient) -> None:
        headers = caller("reader", region="99.01")
        answer = await interventions.get("/interventions", params={"region": DISTRICT}, headers=headers)
        assert answer.status_code == 403

    async def test_village_asked_for(self, interventions: httpx.AsyncClient, village: tuple[str, str]) -> None:
        headers = caller("reader", region="99.01")
        by_id = await interventions.get("/interventions", params={"village": village[0]}, headers=headers)
        assert by_id.status_code == 404
        by_code = await interventions.get("/interventions", params={"village": village[1]}, headers=headers)
        assert by_code.status_code == 403

    async def test_not_asked_for_is_not_shown(self, interventions: httpx.AsyncClient, village: tuple[str, str]) -> None:
        assert await listed(interventions, own="99.77.02") == ["G"]
        assert await listed(interventions, own="99.78") == []


class TestInvalid:
    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("desa=1", "query:desa"),
            ("since=2024-01-01", "query:since"),
            ("limit=0", "query:limit"),
            ("region=331", "query:region"),
            ("village=pekalongan", "query:village"),
            ("from=1-1-2024", "query:from"),
            ("from=2024-02-01&to=2024-01-31", "query:to"),
            ("actor=dinas-x", "query:actor"),
            ("family_function=x", "query:family_function"),
            ("programme=9", "query:programme"),
            ("kegiatan=1-03", "query:kegiatan"),
            ("pentahelix=swasta", "query:pentahelix"),
            ("withdrawn=mungkin", "query:withdrawn"),
            ("cursor=zzz", "query:cursor"),
            ("cursor=WyJhIiwiYiJd", "query:cursor"),
        ],
    )
    async def test_has_a_pointer(self, interventions: httpx.AsyncClient, query: str, pointer: str) -> None:
        answer = await interventions.get(f"/interventions?{query}", headers=caller("reader"))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


class TestHappy:
    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ({}, "EDCBA"),
            ({"limit": 1}, "EDCBA"),
            ({"limit": 2}, "EDCBA"),
            ({"from": "2024-03-01"}, "EDCB"),
            ({"to": "2024-03-01"}, "CBA"),
            ({"from": "2024-03-01", "to": "2024-03-01"}, "CB"),
            ({"actor": "media"}, "DB"),
            ({"pentahelix": "media"}, "DB"),
            ({"pentahelix": "dunia_usaha"}, "EDA"),
            ({"pentahelix": "pemerintah"}, "EA"),
            ({"pentahelix": "pemerintah", "limit": 1}, "EA"),
            ({"family_function": "reproduksi"}, "D"),
            ({"programme": "2"}, "CB"),
            ({"kegiatan": "2-02"}, "C"),
            ({"kegiatan": "2-03"}, ""),
            ({"simulated": "true"}, "E"),
            ({"simulated": "false"}, "DCBA"),
            ({"withdrawn": "true"}, "F"),
            ({"actor": "media", "kegiatan": "2-01", "from": "2024-01-01", "simulated": "false"}, "B"),
        ],
    )
    async def test_filters_newest_first(
        self, interventions: httpx.AsyncClient, village: tuple[str, str], query: dict[str, Any], titles: str
    ) -> None:
        assert await listed(interventions, own=DISTRICT, **query) == list(titles)

    async def test_by_region_and_village(self, interventions: httpx.AsyncClient, village: tuple[str, str]) -> None:
        assert await listed(interventions, own="99.77") == list("EGDCBA")
        assert await listed(interventions, region="99.77.02") == ["G"]
        assert await listed(interventions, village=village[0]) == list("EDCBA")
        assert await listed(interventions, village=village[1].replace(".", "")) == list("EDCBA")

    async def test_one_recorded_meanwhile_neither_hides_nor_repeats_others(
        self, interventions: httpx.AsyncClient
    ) -> None:
        number, code = await known_village(interventions, "99.78.01")
        for title in "AB":
            await recorded(interventions, number, title=title)
        params: dict[str, Any] = {"village": code, "limit": 1}
        first = (await interventions.get("/interventions", params=params, headers=caller("reader"))).json()
        await recorded(interventions, number, title="C")
        params["cursor"] = first["next_cursor"]
        second = (await interventions.get("/interventions", params=params, headers=caller("reader"))).json()
        assert [item["title"] for item in first["items"] + second["items"]] == ["B", "A"]
        assert second["next_cursor"] is None
