"""Comparisons over the API: stranger, wrong region, invalid, happy."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from kit.deadlines import REMAINING_HEADER
from services.scoring.service import SERVICE as SCORING
from tests.callers import STRANGER, caller
from tests.conftest import Start, app_of
from tests.scoring.rulesets.made_rulesets import stricter
from tests.scoring.rulesets.made_villages import profile
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import known_village

TWO_FUNDS = made_facts() | {"profile": profile(funds=2, groups=4, pokja_trained=False)}
PATH = "/rulesets/web-2021/comparison"


@pytest.fixture(scope="module")
async def api(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """A scoring service with two districts: two villages on the border (one made up) and one steady; one steady."""
    async with start(SCORING) as client:
        assessor = caller("assessor")
        await client.post("/rulesets", json=stricter("lebih-ketat"), headers=assessor)
        headers = assessor | {"If-Match": '"1"'}
        assert (await client.post("/rulesets/lebih-ketat/publication", headers=headers)).status_code == 200
        await known_village(client, TWO_FUNDS, district="98.60.01", name="=cmd|calc")
        await known_village(client, TWO_FUNDS, district="98.60.01", simulated=True)
        await known_village(client, district="98.60.01")
        await known_village(client, district="98.60.02")
        await known_village(client, TWO_FUNDS, district="98.60.02", status="inactive")
        await known_village(client, TWO_FUNDS, district="98.61.01")
        yield client


async def compared(api: httpx.AsyncClient, to: str, who: dict[str, str] | None = None, **params: str) -> dict[str, Any]:
    answer = await api.get(f"{PATH}/{to}", params=params, headers=who or caller("reader"))
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def moves(region: dict[str, Any]) -> dict[tuple[str | None, str | None], tuple[int, int]]:
    return {(one["from"], one["to"]): (one["villages"], one["simulated"]) for one in region["transitions"]}


@pytest.mark.parametrize("path", [f"{PATH}/lebih-ketat", f"{PATH}/lebih-ketat/villages.csv"])
class TestBoth:
    async def test_stranger(self, api: httpx.AsyncClient, path: str) -> None:
        assert (await api.get(path, headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, api: httpx.AsyncClient, path: str) -> None:
        assert (await api.get(path, headers=caller("operator"))).status_code == 403

    async def test_wrong_region(self, api: httpx.AsyncClient, path: str) -> None:
        answer = await api.get(path, params={"region": "98.60"}, headers=caller("reader", region="98.61"))
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "region-forbidden")

    async def test_unknown(self, api: httpx.AsyncClient, path: str) -> None:
        answer = await api.get(path.replace("lebih-ketat", "tidak-ada"), headers=caller("reader"))
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "ruleset-unknown")

    @pytest.mark.parametrize("query", ["region=9", "wilayah=98", "changed=maybe"])
    async def test_invalid(self, api: httpx.AsyncClient, path: str, query: str) -> None:
        assert (await api.get(f"{path}?{query}", headers=caller("reader"))).status_code == 422

    async def test_nobody_computes_longer_than_somebody_waits(self, api: httpx.AsyncClient, path: str) -> None:
        headers = caller("reader") | {REMAINING_HEADER: "500"}
        async with app_of(api).state.database.transaction() as session, asyncio.timeout(15):
            await session.execute(sa.text("LOCK TABLE villages IN ACCESS EXCLUSIVE MODE"))
            answer = await api.get(path, headers=headers)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


class TestCompareRulesets:
    @pytest.mark.parametrize("query", ["by=village", "region=98.60&by=province"])
    async def test_invalid_parts(self, api: httpx.AsyncClient, query: str) -> None:
        answer = await api.get(f"{PATH}/lebih-ketat?{query}", headers=caller("reader"))
        assert [error["pointer"] for error in answer.json()["errors"]] == ["query:by"]

    async def test_happy(self, api: httpx.AsyncClient) -> None:
        found = await compared(api, "lebih-ketat", region="98.60")
        assert (found["a"]["id"], found["b"]["id"], found["by"]) == ("web-2021", "lebih-ketat", "district")
        total, (first, second) = found["total"], found["items"]
        assert (total["region_name"], first["region_code"]) == ("Kabupaten 98.60", "98.60.01")
        assert moves(total) == {("berkelanjutan", "berkelanjutan"): (2, 0), ("berkelanjutan", "mandiri"): (2, 1)}
        assert (total["villages"], total["changed"], total["simulated"]) == (4, 2, 1)
        assert moves(first) == {("berkelanjutan", "berkelanjutan"): (1, 0), ("berkelanjutan", "mandiri"): (2, 1)}
        assert moves(second) == {("berkelanjutan", "berkelanjutan"): (1, 0)}
        (funds,) = [one for one in found["indicators"] if one["differs"]]
        assert (funds["code"], funds["differs"], funds["decided_alone"]) == ("input_sumber_dana", 2, 2)
        assert found["decided_by_none"] == 0

    async def test_happy_only_ones_own_region(self, api: httpx.AsyncClient) -> None:
        found = await compared(api, "lebih-ketat", caller("reader", region="98.61"))
        assert (found["total"]["region_code"], found["total"]["villages"]) == ("98.61", 1)

    async def test_happy_to_itself(self, api: httpx.AsyncClient) -> None:
        found = await compared(api, "web-2021")
        assert (found["by"], found["total"]["region_code"], found["total"]["changed"]) == ("province", None, 0)
        (ours,) = [one for one in found["items"] if one["region_code"] == "98"]  # other tests' villages come by events
        assert ours["villages"] == 5

    async def test_happy_not_assessable(self, api: httpx.AsyncClient) -> None:
        await known_village(api, {"population": {}}, district="98.62.01")
        found = await compared(api, "web-2021-intended", region="98.62")
        assert moves(found["total"]) == {("dasar", None): (1, 0)}
        assert found["total"]["changed"] == 1

    async def test_happy_nobody(self, api: httpx.AsyncClient) -> None:
        found = await compared(api, "lebih-ketat", region="97")
        assert (found["total"]["villages"], found["items"]) == (0, [])


class TestDownloadComparedVillages:
    async def table(self, api: httpx.AsyncClient, **params: str) -> list[dict[str, str]]:
        answer = await api.get(f"{PATH}/lebih-ketat/villages.csv", params=params, headers=caller("reader"))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/csv")
        assert "perbandingan-web-2021-lebih-ketat" in answer.headers["content-disposition"]
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))

    async def test_happy(self, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("services.scoring.comparisons.store._PAGE", 2)
        lines = await self.table(api, region="98.60")
        assert [line["Kode wilayah"][:8] for line in lines] == ["98.60.01"] * 3 + ["98.60.02"]
        first = lines[0]
        assert first["Nama Kampung KB"] == "'=cmd|calc"
        assert (first["Kelas menurut web-2021"], first["Kelas menurut lebih-ketat"]) == ("berkelanjutan", "mandiri")
        assert first["Indikator yang skornya berbeda"] == "input_sumber_dana 3 -> 2"
        assert first["Indikator yang sendirian mengubah kelas"] == "input_sumber_dana"
        assert [line["Kelas berubah"] for line in lines] == ["ya", "ya", "tidak", "tidak"]
        assert [line["Data simulasi"] for line in lines] == ["tidak", "ya", "tidak", "tidak"]

    async def test_happy_only_those_that_change(self, api: httpx.AsyncClient) -> None:
        assert len(await self.table(api, region="98.60", changed_only="true")) == 2
