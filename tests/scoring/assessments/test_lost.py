"""Assessments and facts that were lost: nothing is told twice, and nothing is concluded from half of the facts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.facts import ReportKind
from kit.ids import uuid7
from services.scoring.assessments.actions import bring_up_to_date
from services.scoring.rebuilding import settle_assessments
from tests.callers import caller
from tests.conftest import app_of
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import known_village, report_event, take, village_event, whole_village


async def run(scoring: httpx.AsyncClient, statement: str, **values: Any) -> list[Any]:
    async with app_of(scoring).state.database.transaction() as session:
        result = await session.execute(sa.text(statement), values)
        return list(result.all()) if result.returns_rows else []


async def row(scoring: httpx.AsyncClient, number: UUID) -> str | None:
    """The whole assessment, every column, as text."""
    found = await run(scoring, "SELECT a::text FROM assessments a WHERE village_id = :id", id=number)
    return found[0][0] if found else None


async def told(scoring: httpx.AsyncClient, number: UUID) -> list[dict[str, Any]]:
    statement = "SELECT convert_from(body, 'UTF8')::json -> 'data' AS data FROM outbox WHERE entity = :e ORDER BY id"
    async with app_of(scoring).state.database.transaction() as session:
        rows = await session.execute(sa.text(statement).columns(data=sa.JSON), {"e": f"assessment/{number}"})
        return list(rows.scalars())


async def lose(scoring: httpx.AsyncClient, number: UUID, *tables: str) -> None:
    for table in tables:
        await run(scoring, f"DELETE FROM {table} WHERE village_id = :id", id=number)


async def settle(scoring: httpx.AsyncClient, number: UUID) -> None:
    """Settle this village; the one before it in the order of ids is where it begins."""
    before = str(UUID(int=number.int - 1))
    async with app_of(scoring).state.database.transaction() as session:
        await settle_assessments(session, before, 1)


class TestLostRow:
    async def test_comes_back_as_it_was_where_the_facts_still_give_it(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        before, events = await row(scoring, number), await told(scoring, number)
        await lose(scoring, number, "assessments")
        await bring_up_to_date(app_of(scoring).state.database)
        assert await row(scoring, number) == before
        assert await told(scoring, number) == events

    async def test_waits_while_a_rebuild_has_the_facts_in_doubt(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        before, database = await row(scoring, number), app_of(scoring).state.database
        operator = {**caller("operator"), "Idempotency-Key": str(uuid7())}
        asked = {"source": "services", "reason": "uji"}
        rebuild = (await scoring.post("/rebuilds/scoring", json=asked, headers=operator)).json()["id"]
        await lose(scoring, number, "assessments")
        assert await bring_up_to_date(database) == 0
        assert await row(scoring, number) is None
        operator["Idempotency-Key"] = str(uuid7())
        assert (await scoring.post(f"/rebuilds/scoring/{rebuild}/cancel", headers=operator)).status_code == 200
        await bring_up_to_date(database)
        assert await row(scoring, number) == before

    async def test_waits_for_a_rebuild_where_facts_were_lost_too(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        before, events = await row(scoring, number), await told(scoring, number)
        await lose(scoring, number, "assessments", "reported_facts")
        database = app_of(scoring).state.database
        await bring_up_to_date(database)
        first = report_event(code, number, ReportKind.POPULATION, made_facts()["population"])
        await take(scoring, first)
        assert await row(scoring, number) is None
        assert await told(scoring, number) == events
        await take(scoring, *whole_village(code, number))
        assert await row(scoring, number) == before
        assert await told(scoring, number) == events

    async def test_a_rebuild_tells_what_has_changed_since(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        last = (await told(scoring, number))[-1]
        await lose(scoring, number, "assessments")
        await take(scoring, report_event(code, number, ReportKind.FAMILY_PLANNING, {}, period="2025-10"))
        assert await row(scoring, number) is None
        await settle(scoring, number)
        assert await row(scoring, number) is not None
        news = (await told(scoring, number))[-1]
        assert news["village"]["version"] == last["village"]["version"] + 1
        assert (news["previous_class"], news["village_class"]) == ("berkelanjutan", "berkembang")

    async def test_the_first_assessment_of_a_village_needs_no_memory(self, scoring: httpx.AsyncClient) -> None:
        _, number = await known_village(scoring)
        first = (await told(scoring, number))[0]
        assert (first["village"]["version"], first["previous_class"]) == (1, None)


@pytest.mark.parametrize(
    "damage",
    [
        "village_class = 'dasar'",
        "version = 77",
        "assessed_at = now()",
        "scores = '{}', answered = 0",
        "region_code = '98.99.99.2001', active = false, without_reports = true",
    ],
)
async def test_settling_puts_a_damaged_row_right_and_tells_nothing(scoring: httpx.AsyncClient, damage: str) -> None:
    _, number = await known_village(scoring)
    before, events = await row(scoring, number), await told(scoring, number)
    await run(scoring, f"UPDATE assessments SET {damage} WHERE village_id = :id", id=number)
    await settle(scoring, number)
    assert await row(scoring, number) == before
    assert await told(scoring, number) == events


async def test_what_changes_nothing_is_not_assessed(scoring: httpx.AsyncClient) -> None:
    code, number = await known_village(scoring)
    events = await told(scoring, number)
    await run(scoring, "UPDATE assessments SET village_class = 'dasar' WHERE village_id = :id", id=number)
    damaged = await row(scoring, number)
    facts = made_facts()["population"]
    await take(scoring, report_event(code, number, ReportKind.POPULATION, facts))
    await take(scoring, village_event(code, number, 9))
    assert await row(scoring, number) == damaged
    assert await told(scoring, number) == events
    await take(scoring, village_event(code, number, 10, status="inactive"))
    assert await row(scoring, number) != damaged
