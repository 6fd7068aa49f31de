"""The official code list."""

from __future__ import annotations

import httpx
import pytest

from tests.callers import STRANGER, caller


async def every(registry: httpx.AsyncClient, **params: str | int) -> list[str]:
    codes: list[str] = []
    cursor: str | None = None
    while True:
        query = {**params, "limit": 200, **({"cursor": cursor} if cursor else {})}
        page = (await registry.get("/regions", params=query, headers=caller("reader"))).json()
        codes += [region["code"] for region in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return codes


class TestRegions:
    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.get("/regions", headers=STRANGER)).status_code == 401
        assert (await registry.get("/regions/33", headers=STRANGER)).status_code == 401

    @pytest.mark.parametrize("query", ["nama=x", "parent=331", "level=desa", "name=x", "name=a%00b"])
    async def test_invalid(self, registry: httpx.AsyncClient, query: str) -> None:
        assert (await registry.get(f"/regions?{query}", headers=caller("reader", region="76"))).status_code == 422

    @pytest.mark.parametrize(
        ("code", "status", "word"),
        [
            ("11.1", 422, "no digit is added"),
            ("3174010", 422, "BPS"),
            ("99", 404, "BPS"),
            ("33.26.01.2999", 404, "BPS"),
        ],
    )
    async def test_wrong_codes_are_never_guessed(
        self, registry: httpx.AsyncClient, code: str, status: int, word: str
    ) -> None:
        answer = await registry.get(f"/regions/{code}", headers=caller("reader", region="76"))
        assert answer.status_code == status
        assert word in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("code", "districts", "villages"),
        [("15.71", 11, 68), ("64.74", 3, 15), ("21.05", 10, 54), ("33.26", 19, 285), ("31.74", 10, 65)],
    )
    async def test_known_counts(self, registry: httpx.AsyncClient, code: str, districts: int, villages: int) -> None:
        assert len(await every(registry, within=code, level="district")) == districts
        assert len(await every(registry, within=code, level="village")) == villages

    async def test_four_levels_with_path_and_edition(self, registry: httpx.AsyncClient) -> None:
        region = (await registry.get("/regions/3326012001", headers=caller("reader", region="76"))).json()
        assert region["code"] == "33.26.01.2001"
        assert [step["level"] for step in region["path"]] == ["province", "regency", "district", "village"]
        assert region["edition"] == "Kepmendagri 300.2.2-2138/2025"

    async def test_zeros_stay(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.get("/regions/11.10", headers=caller("reader", region="76"))).json()["code"] == "11.10"

    async def test_search_by_name_inside_a_parent(self, registry: httpx.AsyncClient) -> None:
        params = {"parent": "33", "name": "pekalongan"}
        found = (await registry.get("/regions", params=params, headers=caller("reader", region="76"))).json()["items"]
        assert [(r["code"], r["name"]) for r in found] == [
            ("33.26", "Kabupaten Pekalongan"),
            ("33.75", "Kota Pekalongan"),
        ]

    async def test_percent_is_a_character_not_a_wildcard(self, registry: httpx.AsyncClient) -> None:
        found = await registry.get(
            "/regions", params={"parent": "33", "name": "%%"}, headers=caller("reader", region="76")
        )
        assert found.json()["items"] == []

    async def test_all_are_there(self, registry: httpx.AsyncClient) -> None:
        assert len(await every(registry, level="province")) == 38
        assert len(await every(registry, level="regency")) == 514
