"""Rulesets over the API: stranger, invalid, happy."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.scoring.rulesets.library import shipped_rulesets
from services.scoring.rulesets.rules import canonical_digest
from tests.callers import STRANGER, caller
from tests.conftest import SHARED, app_of
from tests.scoring.rulesets.made_villages import village

CASES = SHARED / "parity" / "web-2021.jsonl.gz"
URL = "/rulesets/web-2021/evaluations"


class TestRulesets:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        for url in ("/rulesets", "/rulesets/web-2021"):
            assert (await scoring.get(url, headers=STRANGER)).status_code == 401

    async def test_invalid_filter(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/rulesets?state=draft", headers=caller("reader"))).status_code == 422

    async def test_unknown(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.get("/rulesets/web-2020", headers=caller("reader"))
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:kampungkb:problem:ruleset-unknown"

    async def test_happy_list(self, scoring: httpx.AsyncClient) -> None:
        items = (await scoring.get("/rulesets", headers=caller("reader"))).json()["items"]
        shown = [
            (one["id"], one["status"], one["in_force"], one["legal_basis"]["certainty"])
            for one in items
            if one["id"] in shipped_rulesets()  # other tests publish their own
        ]
        assert shown == [
            ("kkb-2026", "published", False, "proposal"),
            ("web-2021", "published", True, "as_implemented"),
            ("web-2021-intended", "published", False, "proposal"),
        ]

    async def test_happy_pages(self, scoring: httpx.AsyncClient) -> None:
        whole = (await scoring.get("/rulesets?limit=200", headers=caller("reader"))).json()
        assert whole["next_cursor"] is None
        ids: list[str] = []
        cursor = None
        while cursor or not ids:
            query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await scoring.get("/rulesets", params=query, headers=caller("reader"))).json()
            ids += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert ids == [one["id"] for one in whole["items"]] == sorted(ids)
        assert set(shipped_rulesets()) <= set(ids)

    async def test_happy_the_document_is_what_the_digest_covers(self, scoring: httpx.AsyncClient) -> None:
        answer = (await scoring.get("/rulesets/web-2021", headers=caller("reader"))).json()
        assert canonical_digest(answer["document"]) == answer["digest"]
        assert answer["document"] == shipped_rulesets()["web-2021"].ruleset.as_json()


class TestEvaluateVillages:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.post(URL, json=[], headers=STRANGER)).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.post(URL, json=[], headers=caller("operator"))).status_code == 403

    async def test_unknown_ruleset(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.post("/rulesets/web-2020/evaluations", json=[], headers=caller("reader"))
        assert answer.status_code == 404

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"id": 1}, "#/101/id"),
            ({"profile": {"poktan": {"bkx": True}}}, "#/101/profile/poktan/bkx"),
            ({"profile": {"pokja": "ya"}}, "#/101/profile/pokja"),
            ({"profile": {"pokja": 1}}, "#/101/profile/pokja"),
            ({"profile": {"funding_sources": ["apbx"]}}, "#/101/profile/funding_sources/0"),
            ({"population": {"pus": -1}}, "#/101/population/pus"),
            ({"population": {"pus": 1.5}}, "#/101/population/pus"),
            ({"population": {"pus": "12"}}, "#/101/population/pus"),
            ({"population": {"pus": True}}, "#/101/population/pus"),
            ({"population": {"pus": 2**31}}, "#/101/population/pus"),
            ({"interventions": [{"actor": []}]}, "#/101/interventions/0/actor"),
            ({"interventions": {}}, "#/101/interventions"),
            ({"interventions": [{"actors": [], "date": "2025-02-30"}]}, "#/101/interventions/0/date"),
            ({"interventions": [{"actors": [], "date": 20250201}]}, "#/101/interventions/0/date"),
            ({"as_of": "2025-2-1"}, "#/101/as_of"),
            ({"periods": {"profile": "2025"}}, "#/101/periods/profile"),
        ],
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
        body = [village()] * 101 + [village() | change]
        answer = await scoring.post(URL, json=body, headers=caller("reader"))
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("actor", [0, 38, True, 1.5, "Dinas", None])
    async def test_invalid_actor(self, scoring: httpx.AsyncClient, actor: Any) -> None:
        body = [{"interventions": [{"actors": [actor]}]}]
        answer = await scoring.post(URL, json=body, headers=caller("reader"))
        assert answer.status_code == 422
        assert all(e["pointer"].startswith("#/0/interventions/0/actors/0") for e in answer.json()["errors"])

    @pytest.mark.parametrize("body", ["{}", '{"villages": []}', "null", "[1]", "[[]]", "[", "x"])
    async def test_no_list_of_villages(self, scoring: httpx.AsyncClient, body: str) -> None:
        headers = {**caller("reader"), "Content-Type": "application/json"}
        assert (await scoring.post(URL, content=body, headers=headers)).status_code == 422

    async def test_too_many(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.post(URL, json=[{}] * 5001, headers=caller("reader"))
        assert answer.status_code == 422

    async def test_happy_in_the_shape_of_the_cases(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.post(URL, json=[village(), {}], headers=caller("reader", region="33.26"))
        assert answer.status_code == 200
        first, second = answer.json()
        assert first == shipped_rulesets()["web-2021"].evaluate([village()]).summary_of(0)
        assert (first["input_pokja"], first["index_input"], first["class"]) == (4, "3.40", "berkelanjutan")
        assert (second["index_output"], second["class"]) == ("1.00", "dasar")

    async def test_happy_under_a_ruleset_that_looks_at_time(self, scoring: httpx.AsyncClient) -> None:
        done = [{"actors": [number], "date": "2026-05-01"} for number in range(1, 6)]
        months = dict.fromkeys(("profile", "population", "family_planning"), "2026-05")
        dated = village() | {"interventions": done, "periods": months}
        body = [dated | {"as_of": "2026-06-15"}, dated | {"as_of": "2027-06-15"}, village()]
        answer = await scoring.post("/rulesets/kkb-2026/evaluations", json=body, headers=caller("reader"))
        assert [one["class"] for one in answer.json()] == ["berkelanjutan", None, None]
        assert [one["proses_lintas_sektor"] for one in answer.json()] == [3, 1, None]

    async def test_invalid_place_of_a_month(self, scoring: httpx.AsyncClient) -> None:
        body = [{"periods": {"population.puss": "2025-01"}}]
        answer = await scoring.post(URL, json=body, headers=caller("reader"))
        assert answer.status_code == 422

    async def test_happy_none(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.post(URL, json=[], headers=caller("reader"))).json() == []

    @pytest.mark.skipif(not CASES.exists(), reason="the parity cases are not part of the repository")
    async def test_happy_parity(self, scoring: httpx.AsyncClient) -> None:
        with gzip.open(CASES, "rt") as lines:
            cases = [json.loads(line) for line in lines]
        body = [{name: value for name, value in case.items() if name not in {"id", "expected"}} for case in cases]
        answer = await scoring.post(URL, json=body, headers=caller("reader"))
        assert answer.json() == [case["expected"] for case in cases]

    async def test_stores_nothing(self, scoring: httpx.AsyncClient) -> None:
        async def stored() -> Any:
            async with app_of(scoring).state.database.transaction() as session:
                query = "SELECT (SELECT count(*) FROM villages), (SELECT count(*) FROM outbox)"
                return (await session.execute(sa.text(query))).one()

        before = await stored()
        await scoring.post(URL, json=[village()] * 50, headers=caller("reader"))
        assert await stored() == before

    async def test_others_are_answered_meanwhile(self, scoring: httpx.AsyncClient) -> None:
        long = asyncio.create_task(scoring.post(URL, json=[village()] * 5000, headers=caller("reader")))
        answered = 0
        while not long.done():
            assert (await scoring.get("/rulesets", headers=caller("reader"))).status_code == 200
            answered += not long.done()
            await asyncio.sleep(0.001)
        assert (await long).status_code == 200
        assert answered
