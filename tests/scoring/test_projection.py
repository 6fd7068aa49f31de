"""Shuffled, repeated, split into batches or taken by two consumers at once: the assessments are those of a pure model."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.events import (
    Event,
    InterventionCorrected,
    InterventionRecorded,
    InterventionWithdrawn,
    VillageChanged,
    VillageRegistered,
)
from contracts.facts import ReportKind
from kit.ids import uuid7
from services.scoring.assessments.actions import bring_up_to_date
from services.scoring.facts.rules import Report, facts_in_force
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import first_in_force
from tests.conftest import app_of
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import (
    NOON,
    free_code,
    intervention_event,
    known_village,
    report_event,
    take,
    village_event,
    whole_village,
)

KINDS = {"profile": ReportKind.PROFILE, "population": ReportKind.POPULATION, "family": ReportKind.FAMILY_PLANNING}


def expected(
    events: list[Event], villages: list[UUID], engine: Engine | None = None, day: str = "2025-10-01"
) -> dict[UUID, tuple[Any, ...]]:
    """What each village must be assessed as: all events at once, no order, no database; `engine` web-2021 if left out."""
    engine = engine or first_in_force()
    states: dict[UUID, Any] = {}
    interventions: dict[UUID, Any] = {}
    reports: dict[tuple[Any, ...], tuple[UUID, Report]] = {}
    for event in events:
        data: Any = event.data  # type: ignore[attr-defined]  # every subclass has it
        if isinstance(event, VillageRegistered | VillageChanged):
            held = states.get(data.village.id)
            if held is None or held.village.version < data.village.version:
                states[data.village.id] = data
        elif isinstance(event, InterventionRecorded | InterventionCorrected | InterventionWithdrawn):
            held = interventions.get(data.intervention_id)
            if held is None or held.version < data.version:
                interventions[data.intervention_id] = data
        else:
            kind = KINDS[event.type.split(".")[3].split("-")[0]].value
            key = (data.village.id, kind, data.source_system, data.period)
            report = Report(
                data.report_id,
                kind,
                data.source_system,
                data.period,
                data.revision,
                data.simulated,
                data.reported_at,
                data.facts.model_dump(mode="json"),
            )
            if key not in reports or reports[key][1].revision < data.revision:
                reports[key] = (data.village.id, report)
    return {v: _one(engine, day, states[v], reports, interventions) for v in villages if v in states}


def _one(
    engine: Engine, day: str, state: Any, reports: dict[Any, Any], interventions: dict[UUID, Any]
) -> tuple[Any, ...]:
    village = state.village.id
    in_force = facts_in_force([report for owner, report in reports.values() if owner == village])
    done = [one for one in interventions.values() if one.village.id == village and not one.withdrawn]
    told = [
        {"actors": [actor.web_kkb_number or actor.code for actor in one.actors], "date": f"{one.date}"} for one in done
    ]
    facts = {**in_force.facts, "interventions": told, "periods": in_force.periods, "as_of": day}
    evaluation = engine.evaluate([facts])
    simulated = (
        state.simulated or any(r.simulated for r in in_force.sources.values()) or any(one.simulated for one in done)
    )
    return (
        state.village.region_code,
        state.status == "active",
        evaluation.village_class(0),
        evaluation.scores_of(0),
        evaluation.indexes_of(0),
        int(evaluation.answered[0]),
        simulated,
        not in_force.facts,
    )


async def stored(scoring: httpx.AsyncClient, villages: list[UUID]) -> dict[UUID, tuple[Any, ...]]:
    query = sa.text(
        "SELECT village_id, region_code, active, village_class, scores, indexes, answered, simulated, without_reports "
        "FROM assessments WHERE village_id = ANY(cast(:ids AS uuid[]))"
    ).columns(scores=sa.JSON, indexes=sa.JSON)
    async with app_of(scoring).state.database.transaction() as session:
        rows = (await session.execute(query, {"ids": villages})).all()
    return {row[0]: tuple(row[1:]) for row in rows}


counts = st.none() | st.integers(0, 60)
FACTS = {
    ReportKind.PROFILE: st.fixed_dictionaries(
        {},
        optional={
            "pokja": st.none() | st.booleans(),
            "funding_sources": st.none() | st.lists(st.sampled_from(["apbn", "apbd", "csr"]), unique=True),
            "poktan": st.fixed_dictionaries({}, optional={"bkb": st.none() | st.booleans(), "bkl": st.booleans()}),
        },
    ),
    ReportKind.POPULATION: st.fixed_dictionaries({}, optional={"pus": counts, "families": counts}),
    ReportKind.FAMILY_PLANNING: st.fixed_dictionaries(
        {},
        optional={
            "methods": st.fixed_dictionaries({}, optional={"iud": counts, "pill": counts}),
            "unmet_need": counts,
        },
    ),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[UUID]]:
    """Events of up to three villages: states, reports with revisions, interventions that are corrected and moved."""
    places = [(free_code("98.09.01"), uuid7()) for _ in range(draw(st.integers(1, 3)))]
    events: list[Event] = []
    for code, number in places:
        for version in range(1, draw(st.integers(0, 3)) + 1):
            state = {"status": draw(st.sampled_from(["active", "inactive"])), "simulated": draw(st.booleans())}
            events.append(village_event(code, number, version, **state))
    for _ in range(draw(st.integers(0, 8))):
        code, number = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(list(ReportKind)))
        period, source = draw(st.sampled_from(["2025-08", "2025-09"])), f"source-{len(events)}"
        if draw(st.booleans()):
            source = f"siga-{kind}-{number}"
            period = f"20{len(events) % 9 + 16}-{len(events) % 12 + 1:02}"
        simulated = draw(st.booleans())
        for revision in range(1, draw(st.integers(1, 3)) + 1):
            facts = draw(FACTS[kind])
            detail = {"period": period, "source_system": source, "simulated": simulated, "revision": revision}
            events.append(report_event(code, number, kind, facts, **detail))
    for _ in range(draw(st.integers(0, 3))):
        intervention = uuid7()
        for version in range(1, draw(st.integers(1, 3)) + 1):
            code, number = draw(st.sampled_from(places))
            actors = draw(st.lists(st.integers(1, 37) | st.just("media"), max_size=4))
            last = {"withdrawn": version > 1 and draw(st.booleans()), "simulated": draw(st.booleans())}
            events.append(intervention_event(code, number, actors, intervention=intervention, version=version, **last))
    return events, [number for _, number in places]


async def take_in_any_order(scoring: httpx.AsyncClient, events: list[Event], random: random.Random) -> None:
    """Let the service take events shuffled, some of them twice, in batches of any size."""
    deliveries = events + random.sample(events, k=random.randint(0, len(events)))
    random.shuffle(deliveries)
    while deliveries:
        size = random.randint(1, len(deliveries))
        await take(scoring, *deliveries[:size])
        deliveries = deliveries[size:]


@given(history=histories(), random=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_order_and_any_repetition_converge(
    scoring: httpx.AsyncClient, history: tuple[list[Event], list[UUID]], random: random.Random
) -> None:
    events, villages = history
    await take_in_any_order(scoring, events, random)
    assert await stored(scoring, villages) == expected(events, villages)


@pytest.mark.parametrize("seed", range(5))
async def test_consumers_at_the_same_time_never_lose_each_others_facts(scoring: httpx.AsyncClient, seed: int) -> None:
    dice = random.Random(seed)
    villages, events = [], []
    for _ in range(6):
        code, number = free_code("98.09.02"), uuid7()
        villages.append(number)
        events += whole_village(code, number)
        events.append(report_event(code, number, ReportKind.POPULATION, {"pus": 7}, revision=2))
    dice.shuffle(events)
    shares = [events[start::6] for start in range(6)]
    await asyncio.gather(*(take(scoring, *share) for share in shares))
    assert await stored(scoring, villages) == expected(events, villages)
    assert len(await stored(scoring, villages)) == 6


async def test_an_intervention_told_twice_at_once_and_moved_counts_in_one_village(scoring: httpx.AsyncClient) -> None:
    for _ in range(10):
        (here, first), (there, second) = [(free_code("98.09.03"), uuid7()) for _ in range(2)]
        known = [village_event(here, first), village_event(there, second)]
        await take(scoring, *known)
        one = uuid7()
        told = [
            intervention_event(here, first, [1, 2, 3, 4], intervention=one),
            intervention_event(there, second, [1, 2, 3, 4], intervention=one, version=2),
        ]
        await asyncio.gather(*(take(scoring, event) for event in told))
        assert await stored(scoring, [first, second]) == expected([*known, *told], [first, second])


async def events_of(scoring: httpx.AsyncClient, code: str) -> list[dict[str, Any]]:
    query = sa.text("SELECT convert_from(body, 'UTF8')::json AS body FROM outbox WHERE region_code = :s ORDER BY id")
    async with app_of(scoring).state.database.transaction() as session:
        return list((await session.execute(query.columns(body=sa.JSON), {"s": code})).scalars())


class TestVillageClassified:
    async def test_facts_of_an_unknown_village_wait_for_it(self, scoring: httpx.AsyncClient) -> None:
        code, number = free_code(), uuid7()
        village, *facts = whole_village(code, number)
        await take(scoring, *facts)
        assert await stored(scoring, [number]) == {}
        assert await events_of(scoring, code) == []
        await take(scoring, village)
        (event,) = await events_of(scoring, code)
        assert event["data"]["village_class"] == "berkelanjutan"

    async def test_it_tells_the_whole_answer(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        event = (await events_of(scoring, code))[-1]["data"]
        assert event["village"] == {"id": str(number), "region_code": code, "version": event["village"]["version"]}
        assert event["ruleset"] == "web-2021"
        assert event["ruleset_digest"] == first_in_force().digest
        assert event["indexes"] == {"input": "3.40", "proses": "3.33", "output": "3.75"}
        assert list(event["scores"].values()) == [4, 3, 4, 3, 3, 3, 4, 3, 4, 4, 4, 3]
        assert (event["answered"], event["asked"], event["simulated"]) == (39, 39, False)

    async def test_no_news_no_event(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        before = await events_of(scoring, code)
        facts = made_facts()["population"]
        later = report_event(code, number, ReportKind.POPULATION, facts, period="2025-10")
        await take(scoring, later)
        await take(scoring, later)
        assert await events_of(scoring, code) == before

    async def test_a_lost_answer_is_news_and_the_version_grows(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        before = (await events_of(scoring, code))[-1]["data"]
        await take(scoring, report_event(code, number, ReportKind.FAMILY_PLANNING, {}, period="2025-10"))
        after = (await events_of(scoring, code))[-1]["data"]
        assert after["village"]["version"] == before["village"]["version"] + 1
        assert (after["previous_class"], after["village_class"]) == ("berkelanjutan", "berkembang")
        assert after["answered"] == 25

    async def test_the_time_of_an_answer_is_when_it_began_to_hold(self, scoring: httpx.AsyncClient) -> None:
        code, number = await known_village(scoring)
        began = (await events_of(scoring, code))[-1]["data"]["assessed_at"]
        await take(scoring, village_event(code, number, 7, name="Baru"))
        query = sa.text("SELECT assessed_at FROM assessments WHERE village_id = :id")
        async with app_of(scoring).state.database.transaction() as session:
            assert (await session.execute(query, {"id": number})).scalar() == datetime.fromisoformat(began)


async def test_an_assessment_of_another_ruleset_document_is_renewed(scoring: httpx.AsyncClient) -> None:
    code, number = await known_village(scoring)
    database = app_of(scoring).state.database
    async with database.transaction() as session:
        await session.execute(
            sa.text("UPDATE assessments SET ruleset_digest = 'old', village_class = 'dasar' WHERE village_id = :id"),
            {"id": number},
        )
    assert await bring_up_to_date(database) == 1
    assert await bring_up_to_date(database) == 0
    event = (await events_of(scoring, code))[-1]["data"]
    assert (event["previous_class"], event["village_class"]) == ("dasar", "berkelanjutan")


def test_the_model_itself_sees_the_newest_revision() -> None:
    code, number = free_code(), uuid7()
    events = [
        village_event(code, number),
        report_event(code, number, ReportKind.POPULATION, {"pus": 5}, revision=2, reported_at=NOON),
        report_event(code, number, ReportKind.POPULATION, {"pus": None}, revision=1, reported_at=NOON),
    ]
    assert expected(events, [number])[number][5] == 1
