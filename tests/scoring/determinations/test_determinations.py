"""Determinations: stranger, wrong region, invalid, conflict, happy, replay; never changed, and provable from outside."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa

from contracts.canonical import canonical
from contracts.events import DeterminationIssued, decode
from contracts.facts import ReportKind
from kit import clock
from kit.ids import uuid7
from services.scoring.determinations import actions
from services.scoring.determinations.rules import is_over, last_day, tally, twice
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import shipped_rulesets
from tests.callers import STRANGER, caller
from tests.conftest import app_of
from tests.scoring.determinations.made import BARE, PERIOD, asked, draft, got, issued, problem, send, whole_list
from tests.scoring.rulesets.made_rulesets import stricter
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, known_village, report_event, take, village_event

Usable = Callable[..., None]
_ONE_MORE = """
    INSERT INTO determination_villages
    SELECT (jsonb_populate_record(v, jsonb_build_object('number', 99, 'village_id', gen_random_uuid()))).*
    FROM determination_villages v WHERE determination_id = :id AND number = 1
"""


@pytest.fixture(scope="module")
async def regency(scoring: httpx.AsyncClient) -> str:
    """Berkelanjutan and dasar in one district; dasar, made up and without reports in another; one that is not active."""
    await known_village(scoring, district="96.01.01")
    await known_village(scoring, {**made_facts(), "interventions": []}, district="96.01.01")
    await known_village(scoring, BARE, district="96.01.02", simulated=True)
    await known_village(scoring, district="96.01.02", status="inactive")
    return "96.01"


@pytest.fixture(scope="module")
async def determination(scoring: httpx.AsyncClient, regency: str) -> dict[str, Any]:
    """The regency's determination."""
    return await issued(scoring, regency)


@pytest.fixture
def ruleset_is(monkeypatch: pytest.MonkeyPatch) -> Usable:
    """Let the ruleset that is asked for have other dates."""

    def changed(**fields: Any) -> None:
        engine = Engine(shipped_rulesets()["web-2021"].ruleset.model_copy(update=fields))

        async def published(*_: Any) -> Engine:
            return engine

        monkeypatch.setattr(actions, "published", published)

    return changed


class TestPreview:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await send(scoring, asked("96.01"), STRANGER, "/previews")).status_code == 401

    async def test_role_without_the_scope(self, scoring: httpx.AsyncClient) -> None:
        assert (await send(scoring, asked("96.01"), caller("officer"), "/previews")).status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient) -> None:
        answer = await send(scoring, asked("96.01"), caller("assessor", region="96.02"), "/previews")
        assert problem(answer) == (403, "region-forbidden")

    async def test_unknown_ruleset_and_region_without_villages(self, scoring: httpx.AsyncClient) -> None:
        assert problem(await send(scoring, asked("96.01", ruleset="web"), path="/previews")) == (404, "ruleset-unknown")
        answer = await send(scoring, asked("96.99"), path="/previews")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/region_code"]

    async def test_happy_says_what_is_incomplete_and_stores_nothing(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="96.05.01")
        code, _ = await known_village(scoring, BARE, district="96.05.01", simulated=True)
        found = (await send(scoring, asked("96.05"), path="/previews")).json()
        assert found["counts"] == {
            "villages": 2,
            "classes": {"dasar": 1, "berkembang": 0, "mandiri": 0, "berkelanjutan": 1},
            "not_assessable": 0,
            "without_reports": 0,
            "simulated": 1,
            "inactive": 0,
        }
        assert (found["region_name"], found["simulated"], found["stands"]) == ("Kabupaten 96.05", True, None)
        assert found["completeness"]["answered"] * 2 == found["completeness"]["asked"]
        (one,) = found["incomplete_villages"]
        assert (found["incomplete"], one["region_code"], one["answered"]) == (1, code, 0)
        assert one["missing_reports"] == ["profile", "family_planning"]
        assert (await got(scoring, "", region="96.05"))["items"] == []

    async def test_an_open_period_may_be_looked_at(self, scoring: httpx.AsyncClient, regency: str) -> None:
        now = clock.today().strftime("%Y-%m")
        for period, over in ((PERIOD, True), (now, False)):
            found = (await send(scoring, asked(regency, period=period), path="/previews")).json()
            assert found["period_over"] is over

    async def test_says_which_one_stands(
        self, scoring: httpx.AsyncClient, regency: str, determination: dict[str, Any]
    ) -> None:
        found = (await send(scoring, asked(regency), path="/previews")).json()
        assert found["stands"] == determination["header"]["id"]
        assert found["counts"] == determination["header"]["counts"]


class TestIssue:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await send(scoring, draft("96.01"), STRANGER)).status_code == 401

    @pytest.mark.parametrize("role", ["reader", "officer", "partner", "operator"])
    async def test_only_an_assessor_may(self, scoring: httpx.AsyncClient, role: str) -> None:
        assert (await send(scoring, draft("96.01"), caller(role))).status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient, regency: str) -> None:
        for region, own in ((regency, "96.02"), ("96", regency)):
            answer = await send(scoring, draft(region), caller("assessor", region=own))
            assert problem(answer) == (403, "region-forbidden")

    @pytest.mark.parametrize(
        ("fields", "kind", "pointer"),
        [
            ({"period": "2025-13"}, "invalid", "#/period"),
            ({"region_code": "960"}, "invalid", "#/region_code"),
            ({"region_code": "96.99"}, "invalid", "#/region_code"),
            ({"decree": {"number": "  ", "date": "2025-10-20"}}, "invalid", "#/decree/number"),
            ({"decree": {"number": "1"}}, "invalid", "#/decree/date"),
            ({"decree": {"number": "1", "date": "2025-08-31"}}, "invalid", "#/decree/date"),
            ({"decree": {"number": "1", "date": "2095-01-01"}}, "invalid", "#/decree/date"),
            ({"periode": PERIOD}, "invalid", "#/periode"),
            ({"period": "2099-01"}, "period-open", "#/period"),
        ],
    )
    async def test_invalid(
        self, scoring: httpx.AsyncClient, regency: str, fields: dict[str, Any], kind: str, pointer: str
    ) -> None:
        answer = await send(scoring, draft(regency, **fields))
        assert problem(answer) == (422, kind)
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_a_period_is_over_where_the_day_ends_last(
        self, scoring: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await known_village(scoring, district="96.06.01")
        body = draft("96.06", decree={"number": "1", "date": "2025-09-30"})
        monkeypatch.setattr(clock, "now", lambda: datetime(2025, 9, 30, 16, 59, tzinfo=UTC))  # October in Papua already
        answer = await send(scoring, body)
        assert problem(answer) == (422, "period-open")
        assert "2025-09-30" in answer.json()["detail"]
        monkeypatch.setattr(clock, "now", lambda: datetime(2025, 9, 30, 17, 0, tzinfo=UTC))
        assert (await send(scoring, body)).status_code == 201

    async def test_unknown_ruleset(self, scoring: httpx.AsyncClient, regency: str) -> None:
        assert problem(await send(scoring, draft(regency, ruleset="web-2020"))) == (404, "ruleset-unknown")

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"effective_from": date(2025, 10, 1)}, "2025-10-01"),
            ({"effective_to": date(2025, 9, 29)}, "2025-09-29"),
        ],
    )
    async def test_a_ruleset_that_cannot_be_used(
        self, scoring: httpx.AsyncClient, ruleset_is: Usable, fields: dict[str, Any], says: str
    ) -> None:
        await known_village(scoring, district="96.07.01")
        ruleset_is(**fields)
        answer = await send(scoring, draft("96.07"))
        assert problem(answer) == (422, "ruleset-not-usable")
        assert says in answer.json()["detail"]

    async def test_two_active_villages_of_one_desa_are_not_counted_twice(self, scoring: httpx.AsyncClient) -> None:
        code, _ = await known_village(scoring, district="96.03.01")
        await take(scoring, village_event(code, uuid7()))
        answer = await send(scoring, draft("96.03"))
        assert problem(answer) == (409, "conflict")
        assert code in answer.json()["detail"]

    async def test_a_second_one_must_name_the_first(
        self, scoring: httpx.AsyncClient, regency: str, determination: dict[str, Any]
    ) -> None:
        answer = await send(scoring, draft(regency, ruleset="web-2021-intended"))
        assert problem(answer) == (409, "already-determined")
        assert answer.json()["existing_id"] == determination["header"]["id"]

    async def test_two_at_once_are_one(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="96.08.01")
        answers = await asyncio.gather(*(send(scoring, draft("96.08")) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409]

    async def test_happy(self, scoring: httpx.AsyncClient, regency: str, determination: dict[str, Any]) -> None:
        header = determination["header"]
        assert header["counts"] == {
            "villages": 3,
            "classes": {"dasar": 1, "berkembang": 0, "mandiri": 1, "berkelanjutan": 1},
            "not_assessable": 0,
            "without_reports": 0,
            "simulated": 1,
            "inactive": 1,
        }
        assert (header["region_code"], header["region_name"], header["period"]) == (regency, "Kabupaten 96.01", PERIOD)
        assert header["decree"] == {"number": "400.13/7/2025", "date": "2025-10-20"}
        assert (header["issued_by"], header["simulated"], header["replaces"]) == ("tests", True, None)
        engine = shipped_rulesets()["web-2021"]
        assert (header["ruleset"]["id"], header["ruleset"]["digest"]) == ("web-2021", engine.digest)
        assert header["ruleset"]["certainty"] == "as_implemented"
        villages = await whole_list(scoring, header["id"])
        assert [one["number"] for one in villages] == [1, 2, 3]
        assert [one["region_code"] for one in villages] == sorted(one["region_code"] for one in villages)
        assert [one["class"] for one in villages] == ["berkelanjutan", "mandiri", "dasar"]
        assert [one["simulated"] for one in villages] == [False, False, True]
        assert villages[0]["indexes"] == {"input": "3.40", "proses": "3.33", "output": "3.75"}

    async def test_a_village_that_was_never_reported_on_is_listed_with_that_mark(
        self, scoring: httpx.AsyncClient
    ) -> None:
        code, number = free_code("96.09.01"), uuid7()
        await take(scoring, village_event(code, number))
        first = await issued(scoring, "96.09")
        (one,) = await whole_list(scoring, first["header"]["id"])
        assert (one["without_reports"], one["class"], one["answered"]) == (True, "dasar", 0)
        assert first["header"]["counts"]["without_reports"] == 1

    async def test_a_village_without_class_is_listed_too(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, BARE, district="96.10.01")
        found = await issued(scoring, "96.10", ruleset="web-2021-intended")
        assert found["header"]["counts"]["not_assessable"] == 1
        (one,) = await whole_list(scoring, found["header"]["id"])
        assert (one["class"], one["indexes"]["output"], one["scores"]["output_mkjp"]) == (None, None, None)

    async def test_what_came_after_the_period_does_not_count(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring, district="96.11.01")
        bare = report_event(code, number, ReportKind.PROFILE, {"pokja": False}, period="2025-10")
        await take(scoring, bare)
        live = (await scoring.get(f"/assessments/{number}", headers=caller("reader"))).json()
        found = await issued(scoring, "96.11")
        (one,) = await whole_list(scoring, found["header"]["id"])
        assert (live["class"], one["class"]) == ("dasar", "berkelanjutan")

    async def test_replay(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring, district="96.12.01")
        headers = {**caller("assessor"), "Idempotency-Key": "penetapan-96.12"}
        first = await send(scoring, draft("96.12"), headers)
        await take(scoring, report_event(code, number, ReportKind.PROFILE, {"pokja": False}, revision=2))
        again = await send(scoring, draft("96.12"), headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        assert problem(await send(scoring, draft("96.12", note="Lain"), headers)) == (422, "idempotency-key-reused")

    async def test_the_same_sent_twice_at_once_is_one(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="96.14.01")
        headers = {**caller("assessor"), "Idempotency-Key": "penetapan-96.14"}
        answers = await asyncio.gather(*(send(scoring, draft("96.14"), headers) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 2

    async def test_checksums_count_it_by_what_it_says(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="96.15.01")
        first = await issued(scoring, "96.15")
        line = f'determination/{first["header"]["id"]} {{"digest": "{first["digest"]}"}}'
        for region, part in (("96.15", "96.15"), ("96", "96.15")):
            answer = await scoring.get(f"/checksums/scoring?region={region}", headers=caller("reader"))
            held = next(kind for kind in answer.json()["kinds"] if kind["kind"] == "determination")
            (own,) = (one for one in held["parts"] if one["region_code"] == part)
            assert (own["count"], own["digest"]) == (1, hashlib.sha256(line.encode()).hexdigest()[:16])

    async def test_it_is_told_once_with_counts_and_digest(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        header = determination["header"]
        async with app_of(scoring).state.database.transaction() as session:
            query = sa.text("SELECT body FROM outbox WHERE entity = :entity")
            (body,) = (await session.execute(query, {"entity": f"determination/{header['id']}"})).scalars()
        event = decode(body)
        assert isinstance(event, DeterminationIssued)
        assert (event.subject, event.data.digest) == (header["region_code"], determination["digest"])
        told = event.data.counts.model_dump()
        assert {kind: told[kind] for kind in header["counts"]["classes"]} == header["counts"]["classes"]
        assert (told["villages"], told["simulated"], event.data.simulated) == (3, 1, True)
        assert event.data.ruleset_digest == header["ruleset"]["digest"]


class TestCorrect:
    async def test_a_chain_of_corrections(self, scoring: httpx.AsyncClient) -> None:
        await known_village(scoring, district="96.20.01")
        await known_village(scoring, district="96.21.01")
        first = (await issued(scoring, "96.20"))["header"]["id"]
        answer = await send(scoring, draft("96.20", replaces=first))
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/note"]
        for other in (
            draft("96.21", replaces=first, note="x"),
            draft("96.20", period="2025-08", replaces=first, note="x"),
        ):
            assert [error["pointer"] for error in (await send(scoring, other)).json()["errors"]] == ["#/replaces"]
        answer = await send(scoring, draft("96.20", replaces=str(uuid7()), note="x"))
        assert problem(answer) == (404, "determination-unknown")

        second = (await issued(scoring, "96.20", replaces=first, note="Laporan terlambat"))["header"]
        assert (second["replaces"], second["note"]) == (first, "Laporan terlambat")
        answer = await send(scoring, draft("96.20", replaces=first, note="Lagi"))
        assert problem(answer) == (409, "already-replaced")
        assert answer.json()["existing_id"] == second["id"]
        third = (await issued(scoring, "96.20", replaces=second["id"], note="Lagi"))["header"]["id"]
        assert (await got(scoring, f"/{first}"))["replaced_by"] == second["id"]
        assert (await got(scoring, f"/{third}"))["replaced_by"] is None

        async def listed(**filters: Any) -> list[str]:
            items = (await got(scoring, "", region="96.20", **filters))["items"]
            return [one["header"]["id"] for one in items]

        assert await listed() == [third, second["id"], first]
        assert await listed(replaced="false") == [third]
        assert await listed(replaced="true", period=PERIOD, ruleset="web-2021") == [second["id"], first]
        assert await listed(ruleset="web-2021-intended") == []

    async def test_a_draft_is_unknown_and_a_retired_ruleset_corrects_only_its_own(
        self, scoring: httpx.AsyncClient
    ) -> None:
        for district in ("96.22.01", "96.23.01"):
            await known_village(scoring, district=district)
        document = stricter()
        ruleset = document["id"]
        tag = (await scoring.post("/rulesets", json=document, headers=caller("assessor"))).headers["ETag"]
        assert problem(await send(scoring, draft("96.22", ruleset=ruleset))) == (404, "ruleset-unknown")
        for step in ("publication", "retirement"):
            answer = await scoring.post(f"/rulesets/{ruleset}/{step}", headers=caller("assessor") | {"If-Match": tag})
            assert answer.status_code == 200, answer.text
            tag = answer.headers["ETag"]
            if step == "publication":
                first = (await issued(scoring, "96.22", ruleset=ruleset))["header"]["id"]
        answer = await send(scoring, draft("96.23", ruleset=ruleset))
        assert problem(answer) == (422, "ruleset-not-usable")
        await issued(scoring, "96.22", ruleset=ruleset, replaces=first, note="Salah hitung")


class TestRead:
    PATHS = ("", "/villages", "/content")

    @pytest.mark.parametrize("path", PATHS)
    async def test_stranger(self, scoring: httpx.AsyncClient, determination: dict[str, Any], path: str) -> None:
        url = f"/determinations/{determination['header']['id']}{path}"
        assert (await scoring.get(url, headers=STRANGER)).status_code == 401
        assert (await scoring.get("/determinations", headers=STRANGER)).status_code == 401

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("region", ["96.02", "96.01.01", "97"])
    async def test_only_whoever_sees_the_whole_region(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any], path: str, region: str
    ) -> None:
        url = f"/determinations/{determination['header']['id']}{path}"
        answer = await scoring.get(url, headers=caller("reader", region=region))
        assert problem(answer) == (404, "determination-unknown")
        for wide in ("96", "96.01", None):
            assert (await scoring.get(url, headers=caller("reader", region=wide))).status_code == 200

    async def test_list_of_the_own_region(self, scoring: httpx.AsyncClient, determination: dict[str, Any]) -> None:
        number = determination["header"]["id"]
        for region, seen in (("96.01", True), ("96", True), ("96.01.01", False), ("97", False)):
            items = (await got(scoring, "", caller("reader", region=region), limit=200))["items"]
            assert (number in [one["header"]["id"] for one in items]) is seen
        answer = await scoring.get("/determinations?region=97", headers=caller("reader", region="96.01"))
        assert problem(answer) == (403, "region-forbidden")

    @pytest.mark.parametrize("query", ["wilayah=96", "period=2025", "replaced=ja", "cursor=x"])
    async def test_invalid(self, scoring: httpx.AsyncClient, query: str) -> None:
        assert (await scoring.get(f"/determinations?{query}", headers=caller("reader"))).status_code == 422

    async def test_pages(self, scoring: httpx.AsyncClient, determination: dict[str, Any]) -> None:
        await known_village(scoring, district="96.13.01")
        await issued(scoring, "96.13")
        page = await got(scoring, "", region="96", limit=1)
        following = await got(scoring, "", region="96", limit=1, cursor=page["next_cursor"])
        ids = [one["header"]["id"] for one in (*page["items"], *following["items"])]
        assert ids == sorted(ids, reverse=True)
        assert len(set(ids)) == 2

    async def test_villages_by_class_and_region(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        number = determination["header"]["id"]
        dasar = (await got(scoring, f"/{number}/villages", **{"class": "dasar"}))["items"]
        assert [one["number"] for one in dasar] == [3]
        district = (await got(scoring, f"/{number}/villages", region="96.01.01"))["items"]
        assert [one["number"] for one in district] == [1, 2]


class TestNeverChanged:
    async def test_live_classes_move_on_beside_it(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring, district="96.30.01")
        first = await issued(scoring, "96.30")
        url = f"/determinations/{first['header']['id']}/content"
        before = (await scoring.get(url, headers=caller("reader"))).content
        changed = report_event(code, number, ReportKind.PROFILE, {"pokja": False}, revision=2)
        await take(scoring, changed, village_event(code, number, 2, name="Nama baru", status="inactive"))
        live = (await scoring.get(f"/assessments/{number}", headers=caller("reader"))).json()
        assert (live["class"], live["village"]["status"]) == ("dasar", "inactive")
        after = await scoring.get(url, headers=caller("reader"))
        assert after.content == before
        assert b'"berkelanjutan"' in before
        assert await got(scoring, f"/{first['header']['id']}") == first

    async def test_the_digest_can_be_made_from_the_answers_alone(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any]
    ) -> None:
        number = determination["header"]["id"]
        document = {"header": determination["header"], "villages": await whole_list(scoring, number)}
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == determination["digest"]
        answer = await scoring.get(f"/determinations/{number}/content", headers=caller("reader"))
        assert answer.content == text.encode()
        assert answer.headers["ETag"] == f'"{determination["digest"]}"'

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE determinations SET decree_number = 'x' WHERE id = :id",
            "DELETE FROM determinations WHERE id = :id",
            "TRUNCATE determinations CASCADE",
            "UPDATE determination_villages SET village_class = 'mandiri' WHERE determination_id = :id",
            "DELETE FROM determination_villages WHERE determination_id = :id",
            "TRUNCATE determination_villages",
            _ONE_MORE,
        ],
    )
    async def test_the_database_refuses_to_change_it(
        self, scoring: httpx.AsyncClient, determination: dict[str, Any], statement: str
    ) -> None:
        number = determination["header"]["id"]
        with pytest.raises(sa.exc.DBAPIError, match=r"append-only|is complete"):
            async with app_of(scoring).state.database.transaction() as session:
                await session.execute(sa.text(statement), {"id": number} if ":id" in statement else {})
        assert len(await whole_list(scoring, number)) == 3


class TestRules:
    @pytest.mark.parametrize(
        ("period", "day"), [("2024-02", (2024, 2, 29)), ("2025-12", (2025, 12, 31)), ("2025-11", (2025, 11, 30))]
    )
    def test_last_day(self, period: str, day: tuple[int, int, int]) -> None:
        assert last_day(period) == date(*day)
        assert not is_over(period, date(*day))
        assert is_over(period, date.fromordinal(date(*day).toordinal() + 1))

    def test_tally(self) -> None:
        entry = {"class": "a", "without_reports": False, "simulated": False}
        entries = [entry, entry | {"class": None, "without_reports": True}, entry | {"simulated": True}]
        found = tally(entries, ["a", "b"])
        assert (found.villages, found.classes, found.not_assessable) == (3, {"a": 2, "b": 0}, 1)
        assert (found.without_reports, found.simulated) == (1, 1)

    def test_twice(self) -> None:
        assert twice(["c", "a", "b", "a", "c", "a"]) == ["a", "c"]

    def test_canonical_json_is_what_others_write_too(self) -> None:
        value = {"z": [1, None, True], "é": 'a"b\\c\n\u2028/', "a": {"b": "ü", "A": "3.40"}}
        assert canonical(value).encode() == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
