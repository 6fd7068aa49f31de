"""What villages were classed as month by month: late data, revisions, trends; stranger, wrong region, invalid, happy."""

from __future__ import annotations

import random
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import Event, InterventionCorrected, InterventionRecorded, InterventionWithdrawn
from contracts.facts import ReportKind
from kit.ids import uuid7
from services.scoring.assessments.actions import assess, bring_up_to_date
from services.scoring.assessments.rules import day_of
from services.scoring.histories.rules import (
    EVERY_PERIOD,
    NONE,
    Change,
    due,
    earliest,
    months_between,
    months_turned,
    moved,
    standing,
)
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import first_in_force
from services.scoring.villages import store as villages_store
from tests.callers import STRANGER, caller
from tests.conftest import app_of
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.test_projection import events_of, expected, histories, take_in_any_order
from tests.scoring.told import (
    free_code,
    intervention_event,
    known_village,
    report_event,
    take,
    village_event,
)

CLASSES = ["dasar", "berkembang", "mandiri", "berkelanjutan"]
Months = dict[tuple[UUID, str], tuple[Any, ...]]


async def stored(scoring: httpx.AsyncClient, villages: list[UUID]) -> Months:
    """Class, class before, scores, indexes, answered and simulated by village and month."""
    query = sa.text(
        "SELECT village_id, period, village_class, previous_class, scores, indexes, answered, simulated "
        "FROM period_assessments WHERE village_id = ANY(cast(:ids AS uuid[])) ORDER BY village_id, period"
    ).columns(scores=sa.JSON, indexes=sa.JSON)
    async with app_of(scoring).state.database.transaction() as session:
        rows = (await session.execute(query, {"ids": villages})).all()
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


async def whole_rows(scoring: httpx.AsyncClient, villages: list[UUID]) -> list[str]:
    """Assessments and months with every column, as text."""
    found: list[str] = []
    async with app_of(scoring).state.database.transaction() as session:
        for table in ("assessments", "period_assessments", "superseded_assessments"):
            query = sa.text(f"SELECT t::text FROM {table} t WHERE village_id = ANY(cast(:ids AS uuid[])) ORDER BY 1")
            found += (await session.scalars(query, {"ids": villages})).all()
    return found


def month_of(event: Event) -> str | None:
    """The month that an event tells something of; None where it tells of a village's own state."""
    data: Any = event.data  # type: ignore[attr-defined]  # every subclass has it
    if isinstance(event, InterventionRecorded | InterventionCorrected | InterventionWithdrawn):
        return f"{data.date:%Y-%m}"
    return getattr(data, "period", None)


def newest_only(events: list[Event]) -> list[Event]:
    """Of each intervention the newest version only: an older one says nothing of any month any more."""
    newest: dict[UUID, Any] = {}
    for event in events:
        data: Any = event.data  # type: ignore[attr-defined]  # as above
        number = getattr(data, "intervention_id", None)
        if number is not None and (number not in newest or newest[number].data.version < data.version):
            newest[number] = event
    return [e for e in events if getattr(e.data, "intervention_id", None) is None] + list(newest.values())  # type: ignore[attr-defined]  # as above


def as_of(
    events: list[Event], villages: list[UUID], month: str, engine: Engine, today: date
) -> dict[UUID, tuple[Any, ...]]:
    """What each village must be assessed as from everything of a month or earlier, at its end or today."""
    told = [event for event in newest_only(events) if (month_of(event) or month) <= month]
    return expected(told, villages, engine, f"{day_of(month, today)}")


def assert_months(
    events: list[Event],
    villages: list[UUID],
    found: Months,
    engine: Engine | None = None,
    today: date = date(2025, 10, 1),
) -> None:
    """Every month in which something is told has its row, and every row says what the pure model says."""
    engine = engine or first_in_force()
    counted = [e for e in newest_only(events) if not getattr(e.data, "withdrawn", False)]  # type: ignore[attr-defined]  # as above
    known = expected(events, villages)
    for event in counted:
        month, village = month_of(event), event.data.village.id  # type: ignore[attr-defined]  # as above
        assert month is None or village not in known or (village, month) in found, "a month without a row"
    before: dict[UUID, str] = {}
    for (village, month), row in found.items():
        _, _, village_class, scores, indexes, answered, simulated, _ = as_of(events, villages, month, engine, today)[
            village
        ]
        assert row == (village_class, before.get(village), scores, indexes, answered, simulated), month
        before[village] = row[0] or NONE


@given(history=histories(), random=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_order_gives_every_months_answer(
    scoring: httpx.AsyncClient, history: tuple[list[Event], list[UUID]], random: random.Random
) -> None:
    events, villages = history
    await take_in_any_order(scoring, events, random)
    assert_months(events, villages, await stored(scoring, villages))
    before = await whole_rows(scoring, villages)
    async with app_of(scoring).state.database.transaction() as session:
        await villages_store.lock(session, villages)
        await assess(session, dict.fromkeys(villages, EVERY_PERIOD))
    assert await whole_rows(scoring, villages) == before, "assessing all anew changes no byte"


PROFILE = made_facts()["profile"]
WEAK: dict[str, Any] = {"pokja": False}


async def history_of(scoring: httpx.AsyncClient, code: str, **query: str) -> dict[str, Any]:
    answer = await scoring.get(f"/assessments/{code}/history", params=query, headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def village(scoring: httpx.AsyncClient) -> tuple[str, UUID]:
    """Everything reported in 2025-09 (berkelanjutan), six interventions in March."""
    return await known_village(scoring)


class TestLateData:
    async def test_changes_its_month_and_the_later_ones_and_keeps_what_was_said(
        self, scoring: httpx.AsyncClient, village: tuple[str, UUID]
    ) -> None:
        code, number = village
        before = (await history_of(scoring, code))["items"]
        assert [one["period"] for one in before] == ["2025-09", "2025-03"]
        assert [one["class"] for one in before] == ["berkelanjutan", "dasar"]
        told = len(await events_of(scoring, code))
        await take(scoring, report_event(code, number, ReportKind.PROFILE, PROFILE, period="2025-05"))
        after = (await history_of(scoring, code))["items"]
        assert [one["period"] for one in after] == ["2025-09", "2025-05", "2025-03"]
        assert after[1]["class"] == "berkembang"
        assert (after[0]["revision"], after[0]["previous_class"]) == (before[0]["revision"], "berkembang")
        assert len(await events_of(scoring, code)) == told, "the present class is as it was: no news"

    async def test_a_corrected_month_keeps_its_earlier_revision(
        self, scoring: httpx.AsyncClient, village: tuple[str, UUID]
    ) -> None:
        code, number = village
        await take(scoring, report_event(code, number, ReportKind.PROFILE, PROFILE, period="2025-05"))
        await take(scoring, report_event(code, number, ReportKind.PROFILE, WEAK, period="2025-05", revision=2))
        _, may, _ = (await history_of(scoring, code))["items"]
        assert (may["revision"], may["class"]) == (2, "dasar")
        (first,) = may["superseded"]
        assert (first["revision"], first["class"]) == (1, "berkembang")
        assert first["superseded_at"] == may["assessed_at"]
        assert first["scores"]["input_pokja"] == 4
        assert may["scores"]["input_pokja"] == 1

    async def test_a_withdrawn_intervention_leaves_its_month_with_what_is_left(
        self, scoring: httpx.AsyncClient
    ) -> None:
        code, number, one = free_code(), uuid7(), uuid7()
        await take(
            scoring, village_event(code, number), intervention_event(code, number, [1, 2, 3, 4], intervention=one)
        )
        (march,) = (await history_of(scoring, code))["items"]
        assert march["scores"]["proses_lintas_sektor"] == 3
        await take(scoring, intervention_event(code, number, [1], intervention=one, version=2, withdrawn=True))
        (march,) = (await history_of(scoring, code))["items"]
        assert (march["revision"], march["scores"]["proses_lintas_sektor"]) == (2, 1)

    async def test_another_ruleset_document_is_a_revision_of_the_newest_month_only(
        self, scoring: httpx.AsyncClient, village: tuple[str, UUID]
    ) -> None:
        code, number = village
        database = app_of(scoring).state.database
        async with database.transaction() as session:
            for table in ("assessments", "period_assessments"):
                statement = f"UPDATE {table} SET ruleset_digest = 'old' WHERE village_id = :id"
                await session.execute(sa.text(statement), {"id": number})
        await bring_up_to_date(database)
        newest, older = (await history_of(scoring, code))["items"]
        assert newest["superseded"][-1]["ruleset_digest"] == "old"
        assert newest["ruleset_digest"] == first_in_force().digest
        assert (older["superseded"], older["ruleset_digest"]) == ([], "old")


class TestGetHistory:
    async def test_stranger(self, scoring: httpx.AsyncClient, village: tuple[str, UUID]) -> None:
        assert (await scoring.get(f"/assessments/{village[0]}/history", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, scoring: httpx.AsyncClient, village: tuple[str, UUID]) -> None:
        answer = await scoring.get(f"/assessments/{village[0]}/history", headers=caller("reader", region="33"))
        assert answer.status_code == 404

    @pytest.mark.parametrize("query", ["limit=0", "cursor=x", "bulan=2025-09"])
    async def test_invalid(self, scoring: httpx.AsyncClient, village: tuple[str, UUID], query: str) -> None:
        answer = await scoring.get(f"/assessments/{village[0]}/history?{query}", headers=caller("reader"))
        assert answer.status_code == 422

    async def test_page_by_page(self, scoring: httpx.AsyncClient, village: tuple[str, UUID]) -> None:
        first = await history_of(scoring, village[0], limit="1")
        second = await history_of(scoring, village[0], limit="1", cursor=first["next_cursor"])
        assert [one["period"] for page in (first, second) for one in page["items"]] == ["2025-09", "2025-03"]
        assert second["next_cursor"] is None

    async def test_nothing_reported_nothing_said(self, scoring: httpx.AsyncClient) -> None:
        code, _ = await known_village(scoring, {})
        assert (await history_of(scoring, code))["items"] == []

    async def test_simulated_is_marked(self, scoring: httpx.AsyncClient) -> None:
        code, _ = await known_village(scoring, simulated=True)
        assert all(one["simulated"] for one in (await history_of(scoring, code))["items"])


@pytest.fixture(scope="module")
async def regency(scoring: httpx.AsyncClient) -> str:
    """Three active villages: two rise in 2025-09 and one of them falls in 2025-10, one never told anything; one inactive."""
    await known_village(scoring, district="98.60.01")
    code, number = await known_village(scoring, district="98.60.01")
    await take(scoring, report_event(code, number, ReportKind.PROFILE, WEAK, period="2025-10"))
    await known_village(scoring, {}, district="98.60.01")
    await known_village(scoring, district="98.60.01", status="inactive")
    return "98.60"


async def trend_of(scoring: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    answer = await scoring.get("/class-trends", params=query, headers=caller("reader"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


class TestGetClassTrend:
    async def test_stranger(self, scoring: httpx.AsyncClient) -> None:
        assert (await scoring.get("/class-trends", headers=STRANGER)).status_code == 401

    async def test_wrong_region(self, scoring: httpx.AsyncClient) -> None:
        answer = await scoring.get("/class-trends?region=98", headers=caller("reader", region="98.60"))
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        "query", ["from=2025-09&to=2025-08", "from=2025-13", "from=2016-01&to=2099-01", "by=month"]
    )
    async def test_invalid(self, scoring: httpx.AsyncClient, query: str) -> None:
        answer = await scoring.get(f"/class-trends?{query}", headers=caller("reader"))
        assert answer.status_code == 422

    async def test_happy(self, scoring: httpx.AsyncClient, regency: str) -> None:
        answer = await trend_of(scoring, region=regency, **{"from": "2025-02", "to": "2025-10"})
        assert answer["total"] == 3
        nobody = {"not_assessable": 0, "risen": 0, "fallen": 0}
        months = {one.pop("period"): one for one in answer["items"]}
        assert months["2025-02"] == nobody | {"classes": dict.fromkeys(CLASSES, 0), "not_yet_told": 3}
        assert months["2025-08"]["classes"]["dasar"] == 2
        september = {"dasar": 0, "berkembang": 0, "mandiri": 0, "berkelanjutan": 2}
        assert months["2025-09"] == nobody | {"classes": september, "not_yet_told": 1, "risen": 2}
        assert months["2025-10"]["classes"] == {**september, "dasar": 1, "berkelanjutan": 1}
        assert (months["2025-10"]["risen"], months["2025-10"]["fallen"]) == (0, 1)

    async def test_what_came_before_the_first_month_counts_in(self, scoring: httpx.AsyncClient, regency: str) -> None:
        whole = await trend_of(scoring, region=regency, **{"from": "2024-01", "to": "2025-10"})
        part = await trend_of(scoring, region=regency, **{"from": "2025-10", "to": "2025-10"})
        assert part["items"] == whole["items"][-1:]

    async def test_the_parts_add_up(self, scoring: httpx.AsyncClient, regency: str) -> None:
        await known_village(scoring, district="98.60.02")
        months = {"from": "2025-09", "to": "2025-10"}
        whole = await trend_of(scoring, region=regency, **months)
        parts = [await trend_of(scoring, region=f"{regency}.0{n}", **months) for n in (1, 2)]
        for at, month in enumerate(whole["items"]):
            for kind in CLASSES:
                assert month["classes"][kind] == sum(part["items"][at]["classes"][kind] for part in parts)

    async def test_counts_of_a_month_say_the_same(self, scoring: httpx.AsyncClient, regency: str) -> None:
        for month in (await trend_of(scoring, region=regency, **{"from": "2025-02", "to": "2025-10"}))["items"]:
            asked = {"region": regency, "period": month["period"]}
            counts = (await scoring.get("/class-counts", params=asked, headers=caller("reader"))).json()["total"]
            assert {kind: share["count"] for kind, share in counts["classes"].items()} == month["classes"]
            assert counts["not_yet_told"] == month["not_yet_told"]

    async def test_a_year_where_no_months_are_named(self, scoring: httpx.AsyncClient, regency: str) -> None:
        assert len((await trend_of(scoring, region=regency))["items"]) == 13


class TestRules:
    def test_due(self) -> None:
        assert due([], [], "2025-01") == []
        assert due(["2025-03"], [], "9999-12") == ["2025-03"]
        assert due(["2025-03", "2025-05"], ["2025-04", "2025-01"], "2025-04") == ["2025-04", "2025-05"]
        assert due([], ["2025-04"], "2025-04") == ["2025-04"]
        assert due(["2025-03"], ["2025-01", "2025-05"], "9999-12") == ["2025-03", "2025-05"]

    def test_months_turned(self) -> None:
        assert months_turned(["2025-03-15", "2025-03-31", "2025-04-16", "2025-04-15"], "2025-04-15") == {
            "2025-03",
            "2025-04",
        }
        assert months_turned(["2025-04-16"], "2025-04-15") == set()

    def test_earliest(self) -> None:
        a, b = uuid7(), uuid7()
        assert earliest([(a, "2025-03"), (b, "2024-01"), (a, "2025-01")]) == {a: "2025-01", b: "2024-01"}

    def test_months_between(self) -> None:
        assert months_between("2024-11", "2025-02") == ["2024-11", "2024-12", "2025-01", "2025-02"]
        assert months_between("2025-02", "2025-01") == []

    def test_standing_and_moved(self) -> None:
        changes = [
            Change("2024-12", None, "dasar", 5),
            Change("2025-01", "dasar", "mandiri", 2),
            Change("2025-02", "mandiri", "berkembang", 1),
            Change("2025-03", None, "dasar", 9),
        ]
        first, second = standing(changes, ["2025-01", "2025-02"], CLASSES)
        assert first == {"dasar": 3, "berkembang": 0, "mandiri": 2, "berkelanjutan": 0}
        assert second == {"dasar": 3, "berkembang": 1, "mandiri": 1, "berkelanjutan": 0}
        assert moved(changes, "2025-01", CLASSES, up=True) == 2
        assert moved(changes, "2025-02", CLASSES, up=False) == 1
        assert moved(changes, "2025-03", CLASSES, up=True) == 0
