"""What a rebuild makes of a stream: gaps, ends that were lost, events that cannot be applied, streams made anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import nats
import pytest
import sqlalchemy as sa
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.events import STREAMS, Event, VillageRegistered
from contracts.examples import example
from deploy.embedded.throwaway import ThrowawayServers
from kit.bus import ensure_stream
from kit.database import Database
from kit.ids import uuid7
from kit.rebuilds import reading
from kit.rebuilds.reading import Part, Reading, Refused, told_again, whole
from kit.rebuilds.schemas import Failure

STREAM = "KKB_REGISTRY"
VILLAGES = "kkb.registry.village-registered.>"


class Scene:
    """A stream of its own making and a table beside the living."""

    def __init__(self, client: Client, beside: Database) -> None:
        self.client = client
        self.beside = beside
        self.feed = uuid7()
        self.poison: set[UUID] = set()

    @property
    def jetstream(self) -> Any:
        return self.client.jetstream()

    async def send(self, *positions: int, published: int = 0, feed: UUID | None = None, **headers: str) -> list[Event]:
        events: list[Event] = []
        for position in positions:
            event = example(VillageRegistered).model_copy(update={"id": uuid7()})
            said = {"Kkb-Position": f"{feed or self.feed}:{position}", "Kkb-Published": str(published), **headers}
            await self.jetstream.publish(event.nats_subject, event.model_dump_json().encode(), headers=said)
            events.append(event)
        return events

    async def fold(self, session: AsyncSession, events: Sequence[Event]) -> None:
        for event in events:
            if event.id in self.poison:
                raise ValueError("poison")
            await session.execute(sa.text("INSERT INTO folded VALUES (:id)"), {"id": event.id})

    async def folded(self) -> set[UUID]:
        async with self.beside.transaction() as session:
            return set((await session.execute(sa.text("SELECT id FROM folded"))).scalars())

    def reading(self, part: Part) -> Reading:
        return Reading(self.client, self.beside, STREAM, [VILLAGES], self.fold, part)

    async def read(self) -> Reading:
        made = self.reading(await whole(self.client, STREAM))
        await made.to_end()
        return made


@pytest.fixture
async def scene(own_servers: ThrowawayServers) -> AsyncIterator[Scene]:
    client = await nats.connect(own_servers.nats_url)
    beside = Database(create_async_engine(own_servers.empty_database("registry")))
    async with beside.transaction() as session:
        await session.execute(sa.text("CREATE TABLE folded (id uuid)"))
    async with fresh_stream(client):
        yield Scene(client, beside)
    await beside.engine.dispose()
    await client.close()


@asynccontextmanager
async def fresh_stream(client: Client) -> AsyncIterator[None]:
    await ensure_stream(client.jetstream(), STREAM, STREAMS[STREAM])
    await client.jetstream().delete_stream(STREAM)
    await ensure_stream(client.jetstream(), STREAM, STREAMS[STREAM])
    yield


class TestWhole:
    async def test_every_position_of_the_owner_in_whatever_order(self, scene: Scene) -> None:
        events = await scene.send(1, 3, 2, 4, 2)
        read = await scene.read()
        assert read.gap is None
        assert await scene.folded() == {event.id for event in events}
        assert read.events == 5

    async def test_a_gap_is_named(self, scene: Scene) -> None:
        await scene.send(1, 2, 4)
        read = await scene.read()
        assert read.gap == 3
        await scene.send(3)
        await read.to_end()
        assert read.gap is None

    async def test_a_lost_beginning(self, scene: Scene) -> None:
        await scene.send(2, 3)
        assert (await scene.read()).gap == 1

    async def test_a_lost_end_is_known_from_what_was_published(self, scene: Scene) -> None:
        await scene.send(1, 2, published=5)
        assert (await scene.read()).gap == 3

    async def test_another_feed_does_not_count(self, scene: Scene) -> None:
        await scene.send(1, 2, 3, feed=uuid7())
        mine = await scene.send(1, 2)
        read = await scene.read()
        assert read.gap is None
        assert await scene.folded() == {event.id for event in mine}

    async def test_a_stream_that_never_held_anything(self, scene: Scene) -> None:
        read = await scene.read()
        assert read.part.feed is None
        assert read.gap is None

    async def test_an_emptied_stream_is_refused(self, scene: Scene) -> None:
        await scene.send(1)
        await scene.jetstream.purge_stream(STREAM)
        with pytest.raises(Refused) as refused:
            await scene.read()
        assert refused.value.failure is Failure.STREAM_INCOMPLETE

    async def test_a_stream_that_ends_with_a_strangers_message_is_refused(self, scene: Scene) -> None:
        await scene.send(1)
        await scene.jetstream.publish("kkb.registry.village-registered.v1.33", b"{}")
        with pytest.raises(Refused) as refused:
            await scene.read()
        assert refused.value.failure is Failure.STREAM_INCOMPLETE


class TestToldAgain:
    def part(self, scene: Scene, first: int | None, last: int | None, at: str) -> Part:
        job = {"feed_id": str(scene.feed), "first_position": first, "last_position": last, "started_at": at}
        return told_again(job)

    async def test_from_the_first_to_the_last_and_all_that_follows(self, scene: Scene) -> None:
        await scene.send(1, 2)
        events = await scene.send(3, 4, 5, 6)
        read = scene.reading(self.part(scene, 3, 5, "2020-01-01T00:00:00+00:00"))
        await read.to_end()
        assert read.gap is None
        assert await scene.folded() == {event.id for event in events}

    async def test_the_last_has_not_come_yet(self, scene: Scene) -> None:
        await scene.send(3, 4)
        read = scene.reading(self.part(scene, 3, 5, "2020-01-01T00:00:00+00:00"))
        await read.to_end()
        assert read.gap == 5
        assert read.part.why is Failure.RE_EMISSION_INCOMPLETE

    async def test_begun_after_it_was_told(self, scene: Scene) -> None:
        await scene.send(3, 4)
        read = scene.reading(self.part(scene, 3, 4, "2099-01-01T00:00:00+00:00"))
        await read.to_end()
        assert read.gap == 3

    async def test_an_owner_that_had_nothing_to_tell(self, scene: Scene) -> None:
        read = scene.reading(self.part(scene, None, None, "2020-01-01T00:00:00+00:00"))
        await read.to_end()
        assert read.gap is None
        (event,) = await scene.send(1)
        await read.to_end()
        assert read.gap is None
        assert await scene.folded() == {event.id}


class TestEventsThatCannotBeApplied:
    async def test_left_out_one_by_one(self, scene: Scene) -> None:
        events = await scene.send(*range(1, 41))
        scene.poison = {events[3].id, events[29].id}
        read = await scene.read()
        assert (read.failing, read.unreadable, read.gap) == (2, 0, None)
        assert await scene.folded() == {event.id for event in events} - scene.poison

    async def test_unreadable_ones_too(self, scene: Scene) -> None:
        headers = {"Kkb-Position": f"{scene.feed}:1"}
        await scene.jetstream.publish("kkb.registry.village-registered.v9.33", b"{}", headers=headers)
        (event,) = await scene.send(2)
        read = await scene.read()
        assert (read.failing, read.unreadable, read.gap) == (0, 1, None)
        assert await scene.folded() == {event.id}

    async def test_too_many_are_a_defect(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "MOST_FAILING", 3)
        events = await scene.send(*range(1, 11))
        scene.poison = {event.id for event in events[:4]}
        with pytest.raises(Refused) as refused:
            await scene.read()
        assert refused.value.failure is Failure.TOO_MANY_FAILING

    async def test_missing_tables_are_no_events_fault(self, scene: Scene) -> None:
        await scene.send(1)
        async with scene.beside.transaction() as session:
            await session.execute(sa.text("DROP TABLE folded"))
        with pytest.raises(sa.exc.ProgrammingError):
            await scene.read()

    async def test_other_kinds_of_events_are_seen_but_not_folded(self, scene: Scene) -> None:
        headers = {"Kkb-Position": f"{scene.feed}:1"}
        await scene.jetstream.publish("kkb.registry.profile-reported.v1.33", b"not read", headers=headers)
        (event,) = await scene.send(2)
        read = await scene.read()
        assert (read.events, read.unreadable, read.gap) == (2, 0, None)
        assert await scene.folded() == {event.id}


class TestStreamMadeAnew:
    async def test_it_is_noticed(self, scene: Scene) -> None:
        await scene.send(1, 2)
        read = await scene.read()
        async with fresh_stream(scene.client):
            await scene.send(1, 2, 3)
            with pytest.raises(Refused) as refused:
                await read.to_end()
        assert refused.value.failure is Failure.STREAM_CHANGED

    async def test_gone_altogether(self, scene: Scene) -> None:
        await scene.send(1)
        read = await scene.read()
        await scene.jetstream.delete_stream(STREAM)
        with pytest.raises(Refused) as refused:
            await read.to_end()
        assert refused.value.failure is Failure.STREAM_CHANGED
