"""A producer is upgraded before its consumers: what they cannot read yet is put aside whole, and requeued later."""

from __future__ import annotations

import json
import re
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.events import BY_TYPE, VillageRegistered
from kit.ids import uuid7
from services.interventions.service import SERVICE as INTERVENTIONS
from services.registry.service import SERVICE as REGISTRY
from services.scoring.service import SERVICE as SCORING
from tests.callers import caller
from tests.conftest import app_of, eventually
from tests.contracts.released_events import golden

NEWER = "id.kampungkb.registry.village-registered.v2"


class VillageRegisteredV2(VillageRegistered):
    """What a later release of the consumers would read."""

    type: Literal["id.kampungkb.registry.village-registered.v2"] = NEWER  # type: ignore[assignment]


def told(
    village: UUID, region: str, version: int, name: str, kind: str = VillageRegistered.model_fields["type"].default
) -> dict[str, Any]:
    said = golden("registry.village-registered.v1") | {"id": str(uuid7()), "type": kind, "subject": region}
    key = {"id": str(village), "region_code": region, "version": version}
    return said | {"data": said["data"] | {"village": key, "name": name}}


async def publish(service: httpx.AsyncClient, said: dict[str, Any]) -> None:
    jetstream = await app_of(service).state.bus.jetstream()
    kind = said["type"].removeprefix("id.kampungkb.")
    await jetstream.publish(f"kkb.{kind}.{said['subject']}", json.dumps(said).encode())


async def state_of(service: httpx.AsyncClient, village: UUID) -> tuple[Any, ...] | None:
    async with app_of(service).state.database.engine.connect() as connection:
        query = sa.text("SELECT name, version FROM villages WHERE id = :id AND version > 0")
        row = (await connection.execute(query, {"id": village})).one_or_none()
        return None if row is None else tuple(row)


async def has_state(service: httpx.AsyncClient, village: UUID, name: str, version: int) -> None:
    async def there() -> bool:
        return await state_of(service, village) == (name, version)

    await eventually(there)


async def letter_of(service: httpx.AsyncClient, name: str, event: str) -> dict[str, Any]:
    async def there() -> Any:
        answer = await service.get(f"/dead-letters/{name}", headers=caller("operator"))
        return next((item for item in answer.json()["items"] if item["event_id"] == event), None)

    found: dict[str, Any] = await eventually(there)
    return found


@pytest.mark.parametrize("name", ["scoring", "interventions"])
async def test_is_put_aside_whole_and_applied_after_the_upgrade(
    name: str, scoring: httpx.AsyncClient, interventions: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = {"scoring": scoring, "interventions": interventions}
    service = services.pop(name)
    region, village = {"scoring": "97.01.01.2001", "interventions": "97.01.01.2002"}[name], uuid7()
    await publish(service, told(village, region, 1, "Satu"))
    await has_state(service, village, "Satu", 1)
    newer = told(village, region, 2, "Dua", NEWER)
    newer["data"]["population"] = 5
    await publish(service, newer)
    letter = await letter_of(service, name, newer["id"])
    assert (letter["event_type"], letter["region_code"], letter["attempts"]) == (NEWER, region, 1)
    assert letter["reason"] == (
        f"unknown version of an event: '{NEWER}'; this release reads v1: requeue it after this service has been upgraded"
    )
    assert await state_of(service, village) == ("Satu", 1)
    await publish(service, told(village, region, 3, "Tiga"))
    await has_state(service, village, "Tiga", 3)
    other = uuid7()
    newer_still = told(other, region, 1, "Lain", NEWER)
    await publish(service, newer_still)
    new = await letter_of(service, name, newer_still["id"])
    assert await state_of(service, other) is None

    monkeypatch.setitem(BY_TYPE, NEWER, VillageRegisteredV2)
    effects = {}
    for number in (letter["id"], new["id"]):
        answer = await service.post(f"/dead-letters/{name}/{number}/requeue", headers=caller("operator"))
        assert answer.status_code == 200, answer.text
        effects[number] = answer.json()["effect"]
    assert effects == {letter["id"]: "stale", new["id"]: "applied"}
    assert await state_of(service, village) == ("Tiga", 3)
    assert await state_of(service, other) == ("Lain", 1)
    for other_name, other_service in services.items():  # both follow the registry: leave no letter to other tests
        for event in (newer, newer_still):
            found = await letter_of(other_service, other_name, event["id"])
            path = f"/dead-letters/{other_name}/{found['id']}/discard"
            answer = await other_service.post(path, json={"reason": "a test"}, headers=caller("operator"))
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("service", [REGISTRY, INTERVENTIONS, SCORING], ids=lambda service: service.name)
def test_no_consumer_asks_for_one_version_only(service: Any) -> None:
    """What a filter leaves out is never delivered, so a newer version would be missed in silence."""
    assert [what.subject for what in service.subscriptions if re.search(r"\.v\d", what.subject)] == []
