"""What an import does: bad files, nothing lost, nothing twice, aliases, announcements, failure and resumption."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from services.registry.imports import running, store
from services.registry.imports.worker import erase_old
from tests.callers import caller
from tests.conftest import app_of
from tests.registry.imports.desk import BKB, PUS, TARGETS, Desk, District, district, scalar, table

ROWS = {"read": 0, "stored": 0, "unchanged": 0, "skipped": 0, "rejected": 0}


@pytest.fixture
def desk(registry: httpx.AsyncClient) -> Desk:
    return Desk(registry)


async def reports(registry: httpx.AsyncClient, code: str, kind: str, **filters: Any) -> list[dict[str, Any]]:
    answer = await registry.get(f"/villages/{code}/{kind}", params=filters, headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def findings(registry: httpx.AsyncClient, region: str, **filters: Any) -> list[tuple[str, str]]:
    answer = await registry.get("/findings", params={"region": region, **filters}, headers=caller("reader"))
    return [(found["region_code"], found["code"]) for found in answer.json()["items"]]


async def traces(registry: httpx.AsyncClient, region: str) -> tuple[int, ...]:
    """How much the registry holds about a region: events, reports, villages, findings."""
    queries = (
        "SELECT count(*) FROM outbox WHERE region_code LIKE :r",
        "SELECT count(*) FROM reports r JOIN villages v ON v.id = r.village_id WHERE v.region_code LIKE :r",
        "SELECT count(*) FROM villages WHERE region_code LIKE :r",
        "SELECT count(*) FROM findings WHERE region_code LIKE :r",
    )
    return tuple([await scalar(registry, query, r=f"{region}.%") for query in queries])


class TestBadFiles:
    @pytest.fixture
    async def place(self, registry: httpx.AsyncClient) -> District:
        return await district(registry, "75.03.01")

    async def test_every_row_has_a_result_and_the_rest_is_stored(
        self, registry: httpx.AsyncClient, desk: Desk, place: District
    ) -> None:
        lines = [
            f"0,{place.place(0)},500,50,MEI",
            f"1,{place.place(1)},12.5,5,MEI",
            f"2,{place.place(2)},-3,5,MEI",
            f"3,{place.place(3)},253066083,5,MEI",
            f"4,{place.place(4)},2147483648,5,MEI",
            f"5,{place.path},ENTAH DI MANA,10,1,MEI",
            f"6,{place.place(0)},500,50,MEI",
            f"7,{place.place(1)},10,1,MEI LAGI",
            f"8,{place.place(1)},10",
            f"9,{place.path},RUSA\x01K,10,1,JUNI",
            f"10,{place.place(2)},banyak,1,JUNI",
            f"11,{place.place(2)},,1,JULI",
        ]
        files = {
            "kkb.csv": place.kkb(1, 1, 1, 1, 1),
            "pus.csv": table(PUS, *lines).replace(b"\x01", b"\xff"),
            "tanpa-kolom.csv": table(PUS.replace("BULAN", "WAKTU"), lines[0]),
            "gambar.csv": b"\x89PNG\r\n\x00",
        }
        found = await desk.bring("75.03", files)
        summary = found["summary"]
        results = {row["row"]: (row["status"], row["reason"]) for row in await desk.rows(found["id"], table="pus.csv")}
        assert results == {
            2: ("stored", None),
            3: ("rejected", "decimal"),
            4: ("rejected", "negative"),
            5: ("stored", None),
            6: ("rejected", "impossible_size"),
            7: ("rejected", "village_unknown"),
            8: ("skipped", "duplicate_row"),
            9: ("rejected", "month_unknown"),
            10: ("rejected", "cell_count"),
            11: ("rejected", "not_utf8"),
            12: ("rejected", "not_a_number"),
            13: ("stored", None),
        }
        assert summary["rows"] == {"read": 17, "stored": 8, "unchanged": 0, "skipped": 1, "rejected": 8}
        assert found["progress"] == {"rows_done": 17, "rows_total": 17}
        by_name = {each["name"]: each for each in summary["tables"]}
        assert by_name["tanpa-kolom.csv"]["problem"] == "column_missing"
        assert by_name["gambar.csv"]["problem"] == "not_csv"
        assert by_name["kkb.csv"]["columns_not_used"] == ["KAMPUNG KB MANDIRI", "KAMPUNG KB PERCONTOHAN"]
        decimal = next(each for each in by_name["pus.csv"]["reasons"] if each["reason"] == "decimal")
        assert (decimal["rows"], decimal["status"]) == (1, "rejected")
        assert 'kolom PUS berisi "12.5"' in decimal["example"]
        assert summary["totals"][0] == {
            "period": "2025-05",
            "counts": {"family_planning.unmet_need": 121, "population.pus": 253_067_093},
        }
        (unresolved,) = summary["names"]["unresolved"]
        assert (unresolved["village"], unresolved["rows"]) == ("ENTAH DI MANA", 1)
        assert await findings(registry, place.code, code="impossible_size") == [(place.desa[3][0], "impossible_size")]

    async def test_only_what_the_tables_say_is_said(
        self, registry: httpx.AsyncClient, desk: Desk, place: District
    ) -> None:
        await desk.bring("75.03", {"kkb.csv": place.kkb(1), "pus.csv": place.pus("500,50,MEI")})
        code = place.desa[0][0]
        (population,) = await reports(registry, code, "population-reports", period="2025-05")
        assert population["source_system"] == "siga"
        assert not population["simulated"]
        assert {name: value for name, value in population["facts"].items() if value is not None} == {"pus": 500}
        (planning,) = await reports(registry, code, "family-planning-reports", period="2025-05")
        assert planning["facts"]["unmet_need"] == 50
        assert set(planning["facts"]["non_users"].values()) == {None}
        assert await reports(registry, code, "profiles") == []
        village = (await registry.get(f"/villages/{code}", headers=caller("reader"))).json()
        assert (village["launch_date"], village["launch_year"], village["launched_after_year"]) == (None, 2019, None)
        assert (village["source_system"], village["name"]) == ("siga", None)


class TestTwice:
    async def test_running_twice_changes_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.03.02")
        files = {"kkb.csv": place.kkb(1, 2), "pus.csv": place.pus("500,600,MEI", "300,30,MEI")}
        first = await desk.bring("75.03", files)
        before = await traces(registry, place.code)
        again = await desk.bring("75.03", files)
        assert first["summary"]["rows"] == {**ROWS, "read": 4, "stored": 4}
        assert again["summary"]["rows"] == {**ROWS, "read": 4, "unchanged": 4}
        assert again["summary"]["villages"] == {
            "announced": 3,
            "announced_villages": 2,
            "registered": 0,
            "already_registered": 2,
        }
        assert again["summary"]["reports"]["population"] == {"new": 0, "revised": 0, "unchanged": 2}
        assert again["summary"]["findings_opened"] == 0
        assert await traces(registry, place.code) == before == (6, 4, 2, 2)

    async def test_a_dry_run_tells_the_truth_and_stores_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.03.03")
        files = {"kkb.csv": place.kkb(1, 2), "pus.csv": place.pus("500,600,MEI", "300,30,MEI", "1,1,MEI")}
        dry = await desk.bring("75.03", files, dry_run=True)
        assert await traces(registry, place.code) == (0, 0, 0, 0)
        wet = await desk.bring("75.03", files)
        assert dry["summary"] == wet["summary"]
        assert await desk.rows(dry["id"]) == await desk.rows(wet["id"])
        assert await traces(registry, place.code) == (6, 4, 2, 2)

    async def test_a_changed_number_is_a_revision(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.03.04")
        await desk.bring("75.03", {"kkb.csv": place.kkb(1, 1), "pus.csv": place.pus("500,50,MEI", "300,30,MEI")})
        found = await desk.bring("75.03", {"pus.csv": place.pus("501,50,MEI", "300,30,MEI")})
        assert found["summary"]["reports"]["population"] == {"new": 0, "revised": 1, "unchanged": 1}
        assert found["summary"]["reports"]["family_planning"] == {"new": 0, "revised": 0, "unchanged": 2}
        assert [row["status"] for row in await desk.rows(found["id"])] == ["stored", "unchanged"]
        (report,) = await reports(registry, place.desa[0][0], "population-reports")
        assert (report["revision"], report["facts"]["pus"]) == (2, 501)

    async def test_a_table_that_is_not_there_erases_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.03.05")
        targets = table(TARGETS, f"{place.place(0)},20,10,30,11,40,12,MEI")
        await desk.bring("75.03", {"kkb.csv": place.kkb(1), "t.csv": targets, "pus.csv": place.pus("500,50,MEI")})
        await desk.bring("75.03", {"pus.csv": place.pus("501,,MEI")})
        (population,) = await reports(registry, place.desa[0][0], "population-reports")
        assert (population["facts"]["pus"], population["facts"]["families_with_elderly"]) == (501, 40)
        (planning,) = await reports(registry, place.desa[0][0], "family-planning-reports")
        assert planning["facts"]["unmet_need"] is None
        assert planning["facts"]["poktan_participants"]["bkb"] == 10


class TestAnnouncements:
    async def test_two_announced_become_one_and_a_finding_that_a_later_table_closes(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.04.01")
        code = place.desa[0][0]
        await desk.bring("75.04", {"kkb.csv": place.kkb(2)})
        assert await findings(registry, place.code) == [(code, "announced_twice")]
        await desk.bring("75.04", {"kkb.csv": place.kkb(3)})
        assert await findings(registry, place.code, resolved=True) == [(code, "announced_twice")] * 2
        await desk.bring("75.04", {"kkb.csv": place.kkb(1)})
        assert await findings(registry, place.code) == []
        found = await desk.bring("75.04", {"kkb.csv": place.kkb(0)})
        assert await findings(registry, place.code) == [(code, "not_announced")]
        assert found["summary"]["rows"] == {**ROWS, "read": 1, "unchanged": 1}

    async def test_a_closed_kampung_kb_is_not_brought_back(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.04.02")
        await desk.bring("75.04", {"kkb.csv": place.kkb(1)})
        village = await registry.get(f"/villages/{place.desa[0][0]}", headers=caller("reader"))
        headers = {**caller("officer"), "If-Match": village.headers["ETag"]}
        closed = await registry.patch(f"/villages/{village.json()['id']}", json={"status": "inactive"}, headers=headers)
        assert closed.status_code == 200
        found = await desk.bring("75.04", {"kkb.csv": place.kkb(1), "pus.csv": place.pus("5,1,MEI")})
        assert {row["reason"] for row in await desk.rows(found["id"])} == {"kampung_kb_inactive"}
        assert found["summary"]["villages"]["registered"] == 0


class TestRegions:
    async def test_rows_outside_the_region_are_rejected(self, registry: httpx.AsyncClient) -> None:
        inside, outside = await district(registry, "75.04.03"), await district(registry, "75.05.01")
        desk = Desk(registry, "75.04")
        files = {"a.csv": inside.kkb(1), "b.csv": outside.kkb(1), "c.csv": outside.pus("5,1,MEI")}
        found = await desk.bring("75.04.03", files)
        assert [(row["status"], row["reason"]) for row in await desk.rows(found["id"])] == [
            ("stored", None),
            ("rejected", "outside_region"),
            ("rejected", "outside_region"),
        ]
        assert await traces(registry, outside.code) == (0, 0, 0, 0)


class TestAliases:
    async def test_a_name_learned_from_its_kode_is_known_later_and_can_be_forgotten(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.05.02")
        code = place.desa[0][0]
        kkb = place.kkb(1).decode().replace(place.desa[0][1], '"NAMA\nLAMA"').encode()
        first = await desk.bring("75.05", {"kkb.csv": kkb})
        (alias,) = first["summary"]["names"]["aliases"]
        assert (alias["village"], alias["region_code"], alias["how"], alias["remembered"]) == (
            "NAMA LAMA",
            code,
            "kode",
            False,
        )
        without_kode = table(PUS, f"0,{place.path},nama lama,5,1,MEI")
        later = await desk.bring("75.05", {"pus.csv": without_kode})
        assert [each["remembered"] for each in later["summary"]["names"]["aliases"]] == [True]
        assert later["summary"]["rows"]["stored"] == 1
        listed = (await registry.get("/place-aliases", params={"region": code}, headers=caller("assessor"))).json()
        (kept,) = listed["items"]
        assert (kept["village"], kept["source_system"], kept["how"]) == ("NAMA LAMA", "siga", "kode")
        gone = await registry.delete(f"/place-aliases/{kept['id']}", headers=caller("officer"))
        assert gone.status_code == 204
        last = await desk.bring("75.05", {"pus.csv": without_kode})
        assert [row["reason"] for row in await desk.rows(last["id"])] == ["village_unknown"]

    async def test_a_dry_run_learns_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.05.03")
        kkb = place.kkb(1).decode().replace(place.desa[0][1], "NAMA LAMA").encode()
        await desk.bring("75.05", {"kkb.csv": kkb}, dry_run=True)
        query = "SELECT count(*) FROM place_aliases WHERE region_code = :r"
        assert await scalar(registry, query, r=place.desa[0][0]) == 0

    async def test_stranger_and_wrong_region(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.05.04")
        kkb = place.kkb(1).decode().replace(place.desa[0][1], "NAMA LAMA").encode()
        await desk.bring("75.05", {"kkb.csv": kkb})
        number = await scalar(registry, "SELECT id FROM place_aliases WHERE region_code = :r", r=place.desa[0][0])
        assert (await registry.get("/place-aliases", headers={})).status_code == 401
        assert (await registry.get("/place-aliases", headers=caller("reader"))).status_code == 403
        other = caller("officer", region="75.04")
        assert (await registry.get("/place-aliases", params={"region": "75.05"}, headers=other)).status_code == 403
        assert (await registry.delete(f"/place-aliases/{number}", headers=other)).status_code == 404
        assert (await registry.delete(f"/place-aliases/{number}", headers=caller("assessor"))).status_code == 403
        assert (await registry.get("/place-aliases?nama=x", headers=caller("officer"))).status_code == 422


class TestFailure:
    async def test_a_defect_is_told_without_contents_and_the_import_goes_on_later(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.71.01")
        trap = (
            (
                "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'rahasia %', NEW.detail; END $$"
            ),
            "CREATE TRIGGER trap BEFORE INSERT ON import_rows FOR EACH ROW EXECUTE FUNCTION trap()",
        )
        await _execute(registry, *trap)
        number = await desk.open("75.71")
        await desk.upload(number, "kkb.csv", place.kkb(1, 1))
        await desk.start(number)
        failed = await desk.ended(number)
        await _execute(registry, "DROP TRIGGER trap ON import_rows", "DROP FUNCTION trap()")
        assert failed["state"] == "failed"
        assert "galat internal" in failed["failure"]
        assert "rahasia" not in failed["failure"]
        assert await traces(registry, place.code) == (0, 0, 0, 0)
        await desk.start(number)
        done = await desk.ended(number)
        assert (done["state"], done["failure"]) == ("done", None)
        assert done["summary"]["rows"] == {**ROWS, "read": 2, "stored": 2}

    async def test_an_import_that_kills_its_workers_is_given_up(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        number = await desk.open("75.71")
        await desk.upload(number, "t.csv", b"x")
        await _execute(
            registry,
            f"UPDATE imports SET state = 'running', attempts = 5 WHERE id = '{number}'",
            f"INSERT INTO import_queue VALUES ('{number}', now())",
        )
        failed = await desk.ended(number)
        assert failed["state"] == "failed"
        assert "5 kali" in failed["failure"]

    async def test_rows_that_went_missing_between_two_runs_are_noticed(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.71.04")
        number = await desk.open("75.71")
        await desk.upload(number, "kkb.csv", place.kkb(1))
        await _execute(
            registry,
            f"UPDATE imports SET state = 'running', position = '99' WHERE id = '{number}'",
            f"INSERT INTO import_queue VALUES ('{number}', now())",
        )
        failed = await desk.ended(number)
        assert failed["state"] == "failed"
        assert "buka impor baru" in failed["failure"]

    async def test_a_worker_that_was_overtaken_stores_nothing(self, registry: httpx.AsyncClient, desk: Desk) -> None:
        place = await district(registry, "75.71.05")
        number = await desk.open("75.71")
        await desk.upload(number, "kkb.csv", place.kkb(1))
        database = app_of(registry).state.database
        async with database.transaction() as session:
            job = await running._prepare(database, await store.get(session, UUID(number)))
        await _execute(registry, f"UPDATE imports SET state = 'running', position = '75' WHERE id = '{number}'")
        (codes,) = job.chunks(None)
        with pytest.raises(running.Overtaken):
            await running._store_chunk(database, job, codes, None)
        assert await traces(registry, place.code) == (0, 0, 0, 0)

    async def test_tables_and_rows_are_erased_after_their_time_and_the_summary_stays(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.71.02")
        found = await desk.bring("75.71", {"kkb.csv": place.kkb(1)})
        young = await desk.bring("75.71", {"kkb.csv": place.kkb(1)})
        abandoned = await desk.open("75.71")
        await _execute(
            registry,
            f"UPDATE imports SET finished_at = now() - interval '91 days' WHERE id = '{found['id']}'",
            f"UPDATE imports SET created_at = now() - interval '91 days' WHERE id = '{abandoned}'",
        )
        await erase_old(app_of(registry).state.database)
        kept = await desk.get(found["id"])
        assert kept["erased_at"] is not None
        assert kept["summary"] == found["summary"]
        assert await desk.rows(found["id"]) == []
        query = "SELECT content FROM import_tables WHERE import_id = :i"
        assert await scalar(registry, query, i=found["id"]) is None
        assert len(await desk.rows(young["id"])) == 1
        assert await scalar(registry, query, i=young["id"]) is not None
        gone = await registry.get(f"/imports/{abandoned}", headers=caller("officer"))
        assert gone.status_code == 404


class TestTogether:
    async def test_many_imports_of_one_place_at_once_come_out_as_one(
        self, registry: httpx.AsyncClient, desk: Desk
    ) -> None:
        place = await district(registry, "75.71.03")
        bkb = table(BKB, f"{place.place(0, kode=True)},1,1,0,MEI")
        files = {"kkb.csv": place.kkb(1, 1), "bkb.csv": bkb, "pus.csv": place.pus("5,1,MEI", "7,1,MEI")}
        found = await asyncio.gather(*(desk.bring("75.71", files) for _ in range(4)))
        assert Counter(each["summary"]["rows"]["stored"] for each in found) == {5: 1, 0: 3}
        assert await traces(registry, place.code) == (7, 5, 2, 0)


async def _execute(registry: httpx.AsyncClient, *statements: str) -> None:
    async with app_of(registry).state.database.transaction() as session:
        for statement in statements:
            await session.execute(sa.text(statement))
