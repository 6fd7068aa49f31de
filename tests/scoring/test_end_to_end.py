"""From the registry's API over outbox, JetStream and inbox to the class; and from the stream to the stream."""

from __future__ import annotations

import json
from typing import Any

import httpx
import sqlalchemy as sa

from contracts.events import VillageClassified, decode
from kit.ids import uuid7
from tests.callers import caller
from tests.conftest import app_of, eventually
from tests.scoring.rulesets.made_villages import village as made_facts
from tests.scoring.told import free_code, whole_village


async def classes_of(scoring: httpx.AsyncClient, reference: Any) -> str | None:
    answer = await scoring.get(f"/assessments/{reference}", headers=caller("reader"))
    return answer.json()["class"] if answer.status_code == 200 else None


async def test_a_report_made_at_the_registry_changes_the_class(
    registry: httpx.AsyncClient, scoring: httpx.AsyncClient
) -> None:
    regions = await registry.get("/regions", params={"parent": "11.01.01"}, headers=caller("reader"))
    code = regions.json()["items"][0]["code"]
    made = await registry.post("/villages", json={"region_code": code}, headers=caller("officer"))
    assert made.status_code == 201, made.text
    village = made.json()["id"]

    async def is_known() -> bool:
        return await classes_of(scoring, village) == "dasar"

    await eventually(is_known)
    facts = made_facts()
    paths = {
        "profile": "profiles",
        "population": "population-reports",
        "family_planning": "family-planning-reports",
    }
    for kind, path in paths.items():
        body = {"period": "2025-09", "facts": facts[kind]}
        answer = await registry.post(f"/villages/{village}/{path}", json=body, headers=caller("officer"))
        assert answer.status_code in {200, 201}, answer.text

    async def is_assessed() -> bool:
        answer = await scoring.get(f"/assessments/{village}", headers=caller("reader"))
        return bool(answer.json()["completeness"]["answered"] == 39)

    await eventually(is_assessed)
    detail = (await scoring.get(f"/assessments/{code}", headers=caller("reader"))).json()
    assert detail["class"] == "mandiri"  # no interventions yet: the process index stays below 3
    assert detail["village"]["region_names"]["village"]


async def test_events_on_the_stream_become_a_classification_on_the_stream(scoring: httpx.AsyncClient) -> None:
    code, number = free_code("98.08.01"), uuid7()
    jetstream = await app_of(scoring).state.bus.jetstream()
    heard = await jetstream.subscribe(f"kkb.scoring.village-classified.v1.{code}", ordered_consumer=True)
    for event in reversed(whole_village(code, number)):
        await jetstream.publish(event.nats_subject, event.model_dump_json().encode())

    async def is_assessed() -> bool:
        return await classes_of(scoring, number) == "berkelanjutan"

    await eventually(is_assessed)
    message = await heard.next_msg(timeout=10)
    event = decode(message.data)
    assert isinstance(event, VillageClassified)
    assert event.data.village.id == number
    await heard.unsubscribe()


async def test_what_is_no_event_is_put_aside_and_does_not_hold_up_others(scoring: httpx.AsyncClient) -> None:
    code, number = free_code("98.08.02"), uuid7()
    jetstream = await app_of(scoring).state.bus.jetstream()
    subject = f"kkb.registry.profile-reported.v1.{code}"
    broken = {"specversion": "1.0", "type": "id.kampungkb.registry.profile-reported.v1"}
    await jetstream.publish(subject, json.dumps(broken).encode())
    for event in whole_village(code, number):
        await jetstream.publish(event.nats_subject, event.model_dump_json().encode())

    async def is_assessed() -> bool:
        return await classes_of(scoring, number) == "berkelanjutan"

    await eventually(is_assessed)
    query = sa.text("SELECT reason FROM dead_letters WHERE subject = :subject")

    async def is_buried() -> Any:
        async with app_of(scoring).state.database.transaction() as session:
            return (await session.execute(query, {"subject": subject})).scalar()

    assert "breaks its contract" in await eventually(is_buried)
