"""The projection of the registry's villages: any order, any repetition, on the real stream."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.events import InterventionRecorded, VillageChanged, VillageRegistered
from kit.ids import uuid7
from services.interventions.villages.actions import refresh_villages
from tests.conftest import app_of, eventually
from tests.interventions.given import announce, free_code, row, village_event


def history(code: str, number: UUID) -> list[VillageRegistered | VillageChanged]:
    """Three states; the registry's versions also grow by reports, so there are gaps between them."""
    return [
        village_event(code, id=number, version=1, name="Lama"),
        village_event(code, id=number, version=9, name="Baru"),
        village_event(code, id=number, version=27, name=None, status="inactive"),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
async def test_converges_in_any_order(interventions: httpx.AsyncClient, order: tuple[int, ...], together: bool) -> None:
    number, other = uuid7(), uuid7()
    events = history(free_code(), number)
    arriving = [events[place] for place in order] + [events[order[0]], village_event(free_code(), id=other)]
    batches = [arriving] if together else [[event] for event in arriving]
    for batch in batches:
        async with app_of(interventions).state.database.transaction() as session:
            await refresh_villages(session, batch)
    village = await row(interventions, number)
    assert (village.version, village.name, village.status) == (27, None, "inactive")
    assert (await row(interventions, other)).version == 1


async def test_same_version_again_repairs_a_damaged_row(interventions: httpx.AsyncClient) -> None:
    number, code = uuid7(), free_code()
    event = village_event(code, id=number, name="Benar")
    database = app_of(interventions).state.database
    async with database.transaction() as session:
        await refresh_villages(session, [event])
        await session.execute(sa.text("UPDATE villages SET name = 'rusak' WHERE id = :id"), {"id": number})
        await refresh_villages(session, [event])
    assert (await row(interventions, number)).name == "Benar"


async def test_refuses_what_is_no_news_of_a_village(interventions: httpx.AsyncClient) -> None:
    stranger = InterventionRecorded.model_construct(type="id.kampungkb.interventions.intervention-recorded.v1")
    with pytest.raises(TypeError, match="village's own state"):
        async with app_of(interventions).state.database.transaction() as session:
            await refresh_villages(session, [stranger])


async def test_follows_the_stream_out_of_order_and_repeated(interventions: httpx.AsyncClient) -> None:
    number, code = uuid7(), free_code()
    first, second, third = history(code, number)
    await announce(interventions, third, first, third, second, first)

    async def settled() -> Any:
        async with app_of(interventions).state.database.transaction() as session:
            query = sa.text("SELECT count(*) FROM inbox WHERE event_id = ANY(:ids)")
            handled = await session.scalar(query, {"ids": [first.id, second.id, third.id]})
        return handled == 3

    await eventually(settled)
    village = await row(interventions, number)
    assert (village.version, village.status, village.region_code) == (27, "inactive", code)


async def test_broken_news_is_put_aside_and_holds_nobody_up(interventions: httpx.AsyncClient) -> None:
    number, code = uuid7(), free_code()
    jetstream = await app_of(interventions).state.bus.jetstream()
    subject = f"kkb.registry.village-registered.v1.{code}"
    await jetstream.publish(
        subject, b'{"specversion": "1.0", "type": "id.kampungkb.registry.village-registered.v1", "data": {}}'
    )
    await announce(interventions, village_event(code, id=number))
    await eventually(lambda: row(interventions, number))

    async def buried() -> Any:
        async with app_of(interventions).state.database.transaction() as session:
            query = sa.text("SELECT reason FROM dead_letters WHERE subject = :s AND consumer LIKE 'interventions-%'")
            return await session.scalar(query, {"s": subject})

    assert "breaks its contract" in await eventually(buried)
