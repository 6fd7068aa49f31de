"""Assessing a region anew: stranger, wrong region, invalid, conflict, happy, replay; cancelled, resumed, overtaken."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.facts import ReportKind
from kit import projection_lock
from kit.ids import uuid7
from services.scoring.recomputations import store, worker
from services.scoring.recomputations.tables import Recomputation
from tests.callers import STRANGER, caller
from tests.conftest import app_of, eventually
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import known_village, report_event, take

REGENCY = "98.70"


def asking(region: str | None = None) -> dict[str, str]:
    return {**caller("assessor", region=region), "Idempotency-Key": str(uuid7())}


async def start(scoring: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await scoring.post("/recomputations", json={"region": REGENCY, "reason": "uji", **asked}, headers=asking())
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["Location"].endswith(job["id"])
    return job


async def job_of(scoring: httpx.AsyncClient, number: str) -> dict[str, Any]:
    answer = await scoring.get(f"/recomputations/{number}", headers=asking())
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def ended(scoring: httpx.AsyncClient, number: str) -> dict[str, Any]:
    async def has_ended() -> bool:
        return (await job_of(scoring, number))["finished_at"] is not None

    await eventually(has_ended)
    return await job_of(scoring, number)


async def run(scoring: httpx.AsyncClient, statement: str, **values: Any) -> list[Any]:
    async with app_of(scoring).state.database.transaction() as session:
        result = await session.execute(sa.text(statement), values)
        return list(result.all()) if result.returns_rows else []


async def class_of(scoring: httpx.AsyncClient, number: UUID) -> tuple[str, int]:
    (found,) = await run(scoring, "SELECT village_class, version FROM assessments WHERE village_id = :id", id=number)
    return tuple(found)


@pytest.fixture
async def wrong(scoring: httpx.AsyncClient) -> UUID:
    """A village whose stored class is not what its facts give, as an old defect may have left it."""
    _, number = await known_village(scoring, district=f"{REGENCY}.01")
    await run(scoring, "UPDATE assessments SET village_class = 'dasar' WHERE village_id = :id", id=number)
    return number


class TestStart:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.post("/recomputations", json={"reason": "uji"}, headers=STRANGER)
        assert answer.status_code == 401

    @pytest.mark.parametrize("role", ["reader", "officer", "operator"])
    async def test_who_may_not(self, scoring: httpx.AsyncClient, role: str) -> None:
        answer = await scoring.post("/recomputations", json={"reason": "uji"}, headers={**asking(), **caller(role)})
        assert answer.status_code == 403

    async def test_wrong_region(self, scoring: httpx.AsyncClient) -> None:
        asked = {"region": REGENCY, "reason": "uji"}
        answer = await scoring.post("/recomputations", json=asked, headers=asking("33"))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"reason": ""},
            {"reason": "uji", "since": "2999-01"},
            {"reason": "uji", "since": "2025"},
            {"reason": "u", "a": 1},
        ],
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, body: dict[str, Any]) -> None:
        answer = await scoring.post("/recomputations", json=body, headers=asking())
        assert answer.status_code == 422
        assert answer.json()["errors"]

    async def test_happy(self, scoring: httpx.AsyncClient, wrong: UUID) -> None:
        _, elsewhere = await known_village(scoring, district="98.71.01")
        await run(scoring, "UPDATE assessments SET village_class = 'dasar' WHERE village_id = :id", id=elsewhere)
        _, version = await class_of(scoring, wrong)
        job = await ended(scoring, (await start(scoring))["id"])
        assert (job["state"], job["failure"], job["villages_done"]) == ("done", None, job["villages_total"])
        assert (job["written"], job["news"]) == (1, 1)
        assert await class_of(scoring, wrong) == ("berkelanjutan", version + 1)
        assert (await class_of(scoring, elsewhere))[0] == "dasar", "another region's are not touched"
        again = await ended(scoring, (await start(scoring))["id"])
        assert (again["written"], again["news"]) == (0, 0)

    async def test_from_a_month_on(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring, district="98.72.01")
        profile = made_facts()["profile"]
        for period in ("2025-04", "2025-06"):
            await take(scoring, report_event(code, number, ReportKind.PROFILE, profile, period=period))
        await run(scoring, "UPDATE period_assessments SET village_class = 'mandiri' WHERE village_id = :id", id=number)
        job = await start(scoring, region="98.72", since="2025-06")
        await ended(scoring, job["id"])
        query = "SELECT period, village_class FROM period_assessments WHERE village_id = :id ORDER BY 1"
        months = dict(tuple(row) for row in await run(scoring, query, id=number))
        assert months == {
            "2025-03": "mandiri",
            "2025-04": "mandiri",
            "2025-06": "berkembang",
            "2025-09": "berkelanjutan",
        }

    async def test_replay(self, scoring: httpx.AsyncClient) -> None:
        headers, asked = asking(), {"region": "98.73", "reason": "uji"}
        first = await scoring.post("/recomputations", json=asked, headers=headers)
        second = await scoring.post("/recomputations", json=asked, headers=headers)
        assert first.json()["id"] == second.json()["id"]
        other = await scoring.post("/recomputations", json={**asked, "reason": "lain"}, headers=headers)
        assert other.status_code == 422


class TestRead:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        for path in ("/recomputations", f"/recomputations/{uuid7()}"):
            assert (await scoring.get(path, headers=STRANGER)).status_code == 401

    async def test_wrong_region_and_unknown(self, scoring: httpx.AsyncClient) -> None:
        job = await start(scoring)
        for number, region in ((job["id"], "33"), (str(uuid7()), None)):
            answer = await scoring.get(f"/recomputations/{number}", headers=caller("assessor", region=region))
            assert answer.status_code == 404
        listed = await scoring.get("/recomputations", headers=caller("assessor", region="33"))
        assert listed.json()["items"] == []

    async def test_invalid(self, scoring: httpx.AsyncClient) -> None:
        for query in ("state=lost", "limit=0", "keadaan=done"):
            assert (await scoring.get(f"/recomputations?{query}", headers=asking())).status_code == 422

    async def test_list_newest_first_by_state(self, scoring: httpx.AsyncClient) -> None:
        first, second = (await start(scoring))["id"], (await start(scoring))["id"]
        await ended(scoring, first)
        await ended(scoring, second)
        page = (await scoring.get("/recomputations?limit=1&state=done", headers=asking())).json()
        assert [job["id"] for job in page["items"]] == [second]
        rest = (await scoring.get(f"/recomputations?cursor={page['next_cursor']}", headers=asking())).json()
        assert rest["items"][0]["id"] == first
        none = (await scoring.get("/recomputations?state=failed", headers=asking())).json()
        assert all(job["state"] == "failed" for job in none["items"])


async def post(scoring: httpx.AsyncClient, number: str, what: str, region: str | None = None) -> httpx.Response:
    return await scoring.post(f"/recomputations/{number}/{what}", headers=asking(region))


class TestCancelAndResume:
    @pytest.mark.parametrize("what", ["cancel", "resume"])
    async def test_stranger_wrong_region_unknown(self, scoring: httpx.AsyncClient, what: str) -> None:
        job = (await start(scoring))["id"]
        assert (await scoring.post(f"/recomputations/{job}/{what}", headers=STRANGER)).status_code == 401
        assert (await post(scoring, job, what, "33")).status_code == 404
        assert (await post(scoring, str(uuid7()), what)).status_code == 404

    async def test_one_that_is_done_is_neither_cancelled_nor_resumed(self, scoring: httpx.AsyncClient) -> None:
        job = await ended(scoring, (await start(scoring))["id"])
        for what in ("cancel", "resume"):
            answer = await post(scoring, job["id"], what)
            assert (answer.status_code, answer.json()["state"]) == (409, "done")

    async def test_cancelled_it_stops_resumed_it_goes_on(self, scoring: httpx.AsyncClient, wrong: UUID) -> None:
        database = app_of(scoring).state.database
        async with database.transaction() as session:
            await projection_lock.take_alone(session)
            job = (await start(scoring))["id"]

            async def runs() -> bool:
                return (await job_of(scoring, job))["state"] == "running"

            await eventually(runs)
            cancelled = await post(scoring, job, "cancel")
            assert cancelled.json()["state"] == "cancelled"
            assert (await post(scoring, job, "cancel")).status_code == 409
        assert (await ended(scoring, job))["state"] == "cancelled"
        assert (await class_of(scoring, wrong))[0] == "dasar"
        resumed = await post(scoring, job, "resume")
        assert (resumed.status_code, resumed.json()["state"]) == (202, "queued")
        assert (await ended(scoring, job))["state"] == "done"
        assert (await class_of(scoring, wrong))[0] == "berkelanjutan"


class TestRuns:
    """Where the run itself breaks off; on rows of their own, past the worker of the service."""

    async def test_chunk_by_chunk_each_village_once(
        self, scoring: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "CHUNK", 2)
        for _ in range(5):
            await known_village(scoring, district="98.74.01")
        job = await ended(scoring, (await start(scoring, region="98.74"))["id"])
        assert (job["villages_done"], job["villages_total"], job["written"]) == (5, 5, 0)

    async def test_one_that_breaks_off_time_after_time_is_given_up_and_can_be_resumed(
        self, scoring: httpx.AsyncClient
    ) -> None:
        number = str(uuid7())
        await run(
            scoring,
            "INSERT INTO recomputations (id, region_code, reason, state, requested_by, requested_at, run, attempts, "
            "villages_done, written, news) "
            "VALUES (cast(:id AS uuid), :region, 'uji', 'running', 'tests', now(), 5, 5, 0, 0, 0)",
            id=number,
            region=REGENCY,
        )
        job = await ended(scoring, number)
        assert (job["state"], job["failure"]) == ("failed", "broke off 5 times")
        assert (await post(scoring, number, "resume")).status_code == 202
        assert (await ended(scoring, number))["state"] == "done"

    async def test_while_a_rebuild_has_the_facts_in_doubt_it_waits(
        self, scoring: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also in the middle: the chunk in hand is the last until the rebuild has ended."""
        monkeypatch.setattr(worker, "CHUNK", 2)
        for _ in range(5):
            await known_village(scoring, district="98.75.01")
        database, operator = app_of(scoring).state.database, {**caller("operator"), "Idempotency-Key": str(uuid7())}
        async with database.transaction() as session:
            await projection_lock.take_alone(session)
            number = (await start(scoring, region="98.75"))["id"]

            async def runs() -> bool:
                return (await job_of(scoring, number))["state"] == "running"

            await eventually(runs)
            asked = {"source": "services", "reason": "uji"}
            rebuild = (await scoring.post("/rebuilds/scoring", json=asked, headers=operator)).json()["id"]

        async def one_chunk() -> bool:
            return (await job_of(scoring, number))["villages_done"] > 0

        await eventually(one_chunk)
        await worker.run_next(database)
        job = await job_of(scoring, number)
        assert (job["state"], job["villages_done"]) == ("running", 2)
        headers = {**operator, "Idempotency-Key": str(uuid7())}
        assert (await scoring.post(f"/rebuilds/scoring/{rebuild}/cancel", headers=headers)).status_code == 200
        assert (await ended(scoring, number))["villages_done"] == 5

    async def test_a_run_that_was_overtaken_changes_nothing(self, scoring: httpx.AsyncClient) -> None:
        job = await ended(scoring, (await start(scoring))["id"])
        async with app_of(scoring).state.database.transaction() as session:
            stale = Recomputation(
                **(await run(scoring, "SELECT * FROM recomputations WHERE id = cast(:id AS uuid)", id=job["id"]))[
                    0
                ]._mapping
            )
            with pytest.raises(store.Overtaken):
                await store.change(session, stale, villages_done=0)
