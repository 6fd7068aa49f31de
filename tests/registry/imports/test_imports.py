"""Opening, filling and starting imports: stranger, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.registry.imports.actions import MOST_UNPACKED, MOST_UPLOADED
from tests.callers import STRANGER, caller
from tests.registry.imports.desk import PUS, Desk, district, table

GORONTALO = "75"
OPEN = {"format": "siga", "region": "75", "year": 2025}


@pytest.fixture
def desk(registry: httpx.AsyncClient) -> Desk:
    return Desk(registry)


class TestOpenImport:
    async def test_stranger(self, registry: httpx.AsyncClient) -> None:
        assert (await registry.post("/imports", json=OPEN, headers=STRANGER)).status_code == 401

    @pytest.mark.parametrize("role", ["reader", "reporter", "partner", "assessor"])
    async def test_role_without_the_scope(self, registry: httpx.AsyncClient, role: str) -> None:
        assert (await registry.post("/imports", json=OPEN, headers=caller(role))).status_code == 403

    @pytest.mark.parametrize("own", ["75.01", "76"])
    async def test_wrong_region(self, registry: httpx.AsyncClient, own: str) -> None:
        answer = await registry.post("/imports", json=OPEN, headers=caller("officer", region=own))
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:kampungkb:problem:region-forbidden"

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"province": "75"}, "#/province"),
            ({"format": "excel"}, "#/format"),
            ({"region": 75}, "#/region"),
            ({"region": "7"}, "#/region"),
            ({"region": "75.01.01.2001"}, "#/region"),
            ({"year": "2025"}, "#/year"),
            ({"year": 2015}, "#/year"),
            ({"year": 2099}, "#/year"),
            ({"dry_run": 1}, "#/dry_run"),
        ],
    )
    async def test_invalid(self, registry: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
        answer = await registry.post("/imports", json={**OPEN, **change}, headers=caller("officer"))
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_unknown_region(self, registry: httpx.AsyncClient) -> None:
        answer = await registry.post("/imports", json={**OPEN, "region": "75.99"}, headers=caller("officer"))
        assert answer.status_code == 404

    async def test_happy(self, registry: httpx.AsyncClient) -> None:
        body = {**OPEN, "region": "7501", "dry_run": True, "note": "percobaan"}
        answer = await registry.post("/imports", json=body, headers=caller("officer", region="75.01"))
        assert answer.status_code == 201
        opened = answer.json()
        assert answer.headers["Location"] == f"/api/v1/imports/{opened['id']}"
        assert (opened["state"], opened["region"], opened["dry_run"], opened["note"]) == (
            "open",
            "75.01",
            True,
            "percobaan",
        )
        assert opened["tables"] == []
        assert opened["summary"] is None
        assert opened["progress"] == {"rows_done": 0, "rows_total": 0}

    async def test_replay(self, registry: httpx.AsyncClient) -> None:
        headers = {**caller("officer", name="replayer"), "Idempotency-Key": "open-import-once"}
        answers = await asyncio.gather(*(registry.post("/imports", json=OPEN, headers=headers) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1


class TestUploadTable:
    async def test_stranger(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        url = f"/imports/{await desk.open(GORONTALO)}/tables/t.csv"
        assert (await registry.put(url, content=b"x", headers=STRANGER)).status_code == 401
        assert (await registry.put(url, content=b"x", headers=caller("assessor"))).status_code == 403

    async def test_wrong_region_looks_like_absent(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        for number, own in ((await desk.open(GORONTALO), "75.01"), (str(uuid4()), None)):
            url = f"/imports/{number}/tables/t.csv"
            answer = await registry.put(url, content=b"x", headers=caller("officer", region=own))
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:kampungkb:problem:import-unknown"

    @pytest.mark.parametrize("path", ["imports/75/tables/t.csv", f"imports/{UUID(int=75)}/tables/%07.csv"])
    async def test_invalid(self, registry: httpx.AsyncClient, path: str) -> None:
        assert (await registry.put(f"/{path}", content=b"x", headers=caller("officer"))).status_code == 422

    @pytest.mark.parametrize("data", [b"x" * (MOST_UPLOADED + 1), gzip.compress(b"0" * (MOST_UNPACKED + 1))])
    async def test_too_large_packed_or_not(self, registry: httpx.AsyncClient, desk: Desk, data: bytes) -> None:
        url = f"/imports/{await desk.open(GORONTALO)}/tables/t.csv"
        answer = await registry.put(url, content=data, headers=caller("officer"))
        assert answer.status_code == 413

    async def test_conflict_once_started(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number = await desk.open(GORONTALO)
        await desk.upload(number, "t.csv", b"x")
        await desk.start(number)
        answer = await registry.put(f"/imports/{number}/tables/u.csv", content=b"x", headers=caller("officer"))
        assert answer.status_code == 409
        await desk.ended(number)

    async def test_happy_says_what_it_is(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number, plain = await desk.open(GORONTALO), table(PUS)
        url = f"/imports/{number}/tables/data%20(1).csv.gz"
        answer = await registry.put(url, content=gzip.compress(plain), headers=caller("officer"))
        assert answer.status_code == 201
        seen = answer.json()
        assert (seen["name"], seen["kind"], seen["size"]) == ("data (1).csv.gz", "data_pus", len(plain))
        assert seen["columns_used"] == ["PROVINSI", "KABUPATEN", "KECAMATAN", "KELURAHAN", "PUS", "UNMET NEED", "BULAN"]
        assert seen["columns_not_used"] == ["NO"]
        assert (await desk.get(number))["tables"] == [seen]

    async def test_happy_keeps_what_cannot_be_read_with_the_reason(self, desk: Desk) -> None:
        number = await desk.open(GORONTALO)
        missing = await desk.upload(number, "a.csv", table(PUS.replace("UNMET NEED", "X")))
        assert (missing["kind"], missing["problem"], missing["missing_columns"]) == (
            None,
            "column_missing",
            ["UNMET NEED"],
        )
        assert (await desk.upload(number, "b.csv", b"\x1f\x8bxx"))["problem"] == "bad_gzip"
        assert (await desk.upload(number, "c.pdf", b"%PDF\x00"))["problem"] == "not_csv"

    async def test_replay_replaces_the_table_of_the_same_name(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number = await desk.open(GORONTALO)
        first = await desk.upload(number, "t.csv", b"x")
        url = f"/imports/{number}/tables/t.csv"
        again = await registry.put(url, content=table(PUS), headers=caller("officer"))
        assert again.status_code == 200
        assert again.json()["digest"] != first["digest"]
        assert [found["kind"] for found in (await desk.get(number))["tables"]] == ["data_pus"]


class TestStartImport:
    async def test_stranger(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        url = f"/imports/{await desk.open(GORONTALO)}/start"
        assert (await registry.post(url, headers=STRANGER)).status_code == 401
        assert (await registry.post(url, headers=caller("reader"))).status_code == 403

    async def test_wrong_region_looks_like_absent(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        url = f"/imports/{await desk.open(GORONTALO)}/start"
        assert (await registry.post(url, headers=caller("officer", region="76"))).status_code == 404

    async def test_conflict_without_tables(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        answer = await registry.post(f"/imports/{await desk.open(GORONTALO)}/start", headers=caller("officer"))
        assert answer.status_code == 409

    async def test_happy_even_where_no_table_can_be_read(self, desk: Desk) -> None:
        found = await desk.bring(GORONTALO, {"t.csv": b"x"})
        assert found["summary"]["rows"] == {"read": 0, "stored": 0, "unchanged": 0, "skipped": 0, "rejected": 0}
        assert found["summary"]["tables"][0]["problem"] == "unknown_table"
        assert found["finished_at"] is not None

    async def test_replay_changes_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        found = await desk.bring(GORONTALO, {"t.csv": b"x"})
        answer = await registry.post(f"/imports/{found['id']}/start", headers=caller("officer"))
        assert answer.status_code == 202
        assert answer.json()["state"] == "done"
        assert await desk.get(found["id"]) == found


class TestReadImports:
    async def test_stranger(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number = await desk.open(GORONTALO)
        for url in ("/imports", f"/imports/{number}", f"/imports/{number}/rows"):
            assert (await registry.get(url, headers=STRANGER)).status_code == 401
            assert (await registry.get(url, headers=caller("reader"))).status_code == 403

    async def test_wrong_region(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number = await desk.open(GORONTALO)
        other = caller("assessor", region="75.01")
        assert (await registry.get(f"/imports/{number}", headers=other)).status_code == 404
        assert (await registry.get(f"/imports/{number}/rows", headers=other)).status_code == 404
        assert (await registry.get("/imports", params={"region": "75"}, headers=other)).status_code == 403
        listed = (await registry.get("/imports", params={"limit": 200}, headers=other)).json()["items"]
        assert number not in {found["id"] for found in listed}

    @pytest.mark.parametrize("query", ["status=x", "baris=1", "limit=0", "cursor=zz", "region=x", "period=2025-13"])
    async def test_invalid_rows_filter(self, registry: httpx.AsyncClient, desk: Desk, query: str) -> None:
        number = await desk.open(GORONTALO)
        answer = await registry.get(f"/imports/{number}/rows?{query}", headers=caller("officer"))
        assert answer.status_code == 422

    @pytest.mark.parametrize("query", ["state=x", "provinsi=75", "cursor=zz"])
    async def test_invalid_list_filter(self, registry: httpx.AsyncClient, query: str) -> None:
        assert (await registry.get(f"/imports?{query}", headers=caller("officer"))).status_code == 422

    async def test_happy_newest_first_page_by_page(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        opened = [await desk.open("75.02") for _ in range(5)]
        seen: list[str] = []
        cursor = None
        while True:
            params = {"region": "75.02", "state": "open", "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await registry.get("/imports", params=params, headers=caller("assessor", region="75"))).json()
            seen += [found["id"] for found in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == opened[::-1]

    async def test_happy_rows_come_by_table_and_row_and_are_filtered(self, registry: httpx.AsyncClient) -> None:
        desk = Desk(registry)
        place = await district(registry, "75.02.01")
        files = {"a.csv": place.kkb(1, 0), "b.csv": place.pus("5,1,MEI", "7.5,1,MEI", "9,1,JUNI")}
        found = await desk.bring("75.02", files)
        rows = await desk.rows(found["id"], limit=2)
        assert [(row["table"], row["row"]) for row in rows] == [
            ("a.csv", 2), ("a.csv", 3), ("b.csv", 2), ("b.csv", 3), ("b.csv", 4),
        ]  # fmt: skip
        assert [row["status"] for row in rows] == ["stored", "skipped", "stored", "rejected", "skipped"]
        by_reason = await desk.rows(found["id"], status="skipped", reason="no_kampung_kb", table="b.csv")
        assert [row["row"] for row in by_reason] == [4]
        assert [row["row"] for row in await desk.rows(found["id"], region=place.desa[0][0])] == [2, 2]
        assert [row["row"] for row in await desk.rows(found["id"], period="2025-06")] == [4]
