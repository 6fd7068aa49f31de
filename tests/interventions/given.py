"""What tests begin with: a village the service knows, an intervention that was recorded there."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from contracts.events import RegionNames, VillageChanged, VillageKey, VillageRegistered, VillageState
from kit.ids import uuid7
from tests.callers import caller
from tests.conftest import app_of, eventually

_free = itertools.count(2001)


def free_code(district: str = "99.01.01") -> str:
    """A desa that no other test uses; no official code begins with 99."""
    return f"{district}.{next(_free)}"


def village_event(code: str, *, id: UUID, version: int = 1, **fields: Any) -> VillageRegistered | VillageChanged:  # noqa: A002 - as the event calls it
    """What the registry says of a village at a version."""
    kind = VillageRegistered if version == 1 else VillageChanged
    state = {
        "region_names": RegionNames(province="Uji", regency="Kabupaten Uji", district="Uji", village="Desa Uji"),
        "name": None,
        "status": "active",
        "launch_date": None,
        "launch_year": None,
        "simulated": True,
        "source_system": "tests",
    }
    key = VillageKey(id=id, region_code=code, version=version)
    data = VillageState(village=key, **(state | fields))
    return kind(id=uuid7(), source="/services/registry", subject=code, time=datetime.now(UTC), data=data)


async def announce(interventions: httpx.AsyncClient, *events: VillageRegistered | VillageChanged) -> None:
    """Publish events of the registry, in this order."""
    jetstream = await app_of(interventions).state.bus.jetstream()
    for event in events:
        await jetstream.publish(event.nats_subject, event.model_dump_json().encode())


async def row(interventions: httpx.AsyncClient, village: UUID) -> Any:
    """The village as this service has it; None if it does not know it."""
    async with app_of(interventions).state.database.transaction() as session:
        query = sa.text("SELECT * FROM villages WHERE id = :id")
        return (await session.execute(query, {"id": village})).one_or_none()


async def known_village(interventions: httpx.AsyncClient, district: str = "99.01.01", **fields: Any) -> tuple[str, str]:
    """Id and code of a village that the registry announced and this service knows."""
    number, code = uuid7(), free_code(district)
    await announce(interventions, village_event(code, id=number, **fields))
    await eventually(lambda: row(interventions, number))
    return str(number), code


def draft(village: str, **fields: Any) -> dict[str, Any]:
    """A request to record an intervention."""
    body = {
        "village": village,
        "date": "2024-07-30",
        "place": "Balai desa",
        "title": "Pelatihan pemasaran UPPKA",
        "description": "Dua puluh kelompok usaha dilatih memasarkan hasilnya.",
        "family_function": "ekonomi",
        "target_groups": ["pus"],
        "actors": [{"code": "dinas-koperasi"}, {"code": "swasta"}],
    }
    return body | fields


async def recorded(
    interventions: httpx.AsyncClient, village: str, headers: dict[str, str] | None = None, **fields: Any
) -> dict[str, Any]:
    """An intervention that was recorded."""
    answer = await interventions.post(
        "/interventions", json=draft(village, **fields), headers=headers or caller("officer")
    )
    assert answer.status_code == 201, answer.text
    result: dict[str, Any] = answer.json()
    return result
