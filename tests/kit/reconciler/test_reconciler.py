"""What a stream loses comes back: the stream deleted, purged, robbed of messages, moved to an empty disk, put back in time."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import nats
import pytest
import sqlalchemy as sa
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.events import STREAMS, Event
from kit import metrics, reconciler
from kit.bus import ensure_stream
from kit.positions import Positions
from kit.reconciler import Reconciler
from kit.stream import Puller, position_of, read, written_at
from kit.tasks import stop
from tests.conftest import eventually
from tests.kit.line import Line, has_effects

STREAM = "KKB_REGISTRY"


@asynccontextmanager
async def connected(line: Line) -> AsyncIterator[Client]:
    client = await nats.connect(line.servers.nats_url)
    await ensure_stream(client.jetstream(), STREAM, STREAMS[STREAM])
    yield client
    await client.close()


@asynccontextmanager
async def reconciling(line: Line) -> AsyncIterator[None]:
    """A line whose leader has just started and read the stream."""
    before = (await publication(line)).reconciled_at
    async with line.running():
        await reconciled_since(line, before)
        yield


async def on_stream(client: Client, feed: UUID) -> Counter[int]:
    """Positions of a feed on the stream, and how often each is there."""
    last = (await client.jetstream().stream_info(STREAM)).state.last_seq
    found: Counter[int] = Counter()
    async for batch in read(client, STREAM, 1, last, headers_only=True):
        found += Counter(at[1] for at in map(position_of, batch) if at is not None and at[0] == feed)
    return found


async def publication(line: Line) -> Any:
    async with line.producer.transaction() as session:
        return (await session.execute(sa.text("SELECT * FROM publication"))).one()


async def in_outbox(line: Line) -> set[int]:
    async with line.producer.transaction() as session:
        return set((await session.execute(sa.text("SELECT position FROM outbox"))).scalars())


async def is_whole(line: Line, client: Client) -> None:
    """Wait until the stream holds all that the outbox does."""

    async def whole() -> bool:
        state = await publication(line)
        return await in_outbox(line) <= set(await on_stream(client, state.feed_id))

    await eventually(whole, 60)


async def reconciled_since(line: Line, before: datetime | None) -> None:
    async def again() -> bool:
        state = await publication(line)
        return bool(state.reconciled_at is not None and state.reconciled_at != before)

    await eventually(again, 60)


async def reconciled_after(line: Line, change: Callable[[], Awaitable[Any]]) -> None:
    """Change something and wait for the reading of the stream that follows."""
    before = (await publication(line)).reconciled_at
    await change()
    await reconciled_since(line, before)


def republished() -> float:
    return metrics.RECONCILER_REPUBLISHED._value.get()


def found(finding: str) -> float:
    return metrics.RECONCILER_FINDINGS.labels(finding)._value.get()


async def published(line: Line, number: int) -> list[Event]:
    """Events that are on the stream and have had their effect."""
    events = [line.event() for _ in range(number)]
    await line.commit(*events)
    await has_effects(line, *events)

    async def drained() -> bool:
        return await line.unpublished() == 0

    await eventually(drained)
    return events


class TestLoss:
    async def test_nothing_lost_nothing_sent_again(self, line: Line) -> None:
        async with line.running():
            await published(line, 50)
        before = republished()
        async with connected(line) as client:
            async with reconciling(line):
                state = await publication(line)
            assert set((await on_stream(client, state.feed_id)).values()) == {1}
            assert state.stream_created == (await client.jetstream().stream_info(STREAM)).created
        assert republished() == before

    async def test_stream_deleted_under_load(self, line: Line) -> None:
        events: list[Event] = []
        go_on = True

        async def load() -> None:
            while go_on:
                events.extend(batch := [line.event() for _ in range(20)])
                await line.commit(*batch)
                await asyncio.sleep(0.01)

        before = found("stream_missing") + found("stream_recreated") + found("numbers_repeated")
        async with line.running(), connected(line) as client:
            await published(line, 300)
            loading = asyncio.create_task(load())
            await asyncio.sleep(0.5)
            old = (await client.jetstream().stream_info(STREAM)).created
            await client.jetstream().delete_stream(STREAM)
            await asyncio.sleep(3)
            go_on = False
            await loading
            await has_effects(line, *events)
            await is_whole(line, client)
            assert (await client.jetstream().stream_info(STREAM)).created != old
        effects = Counter(await line.effects())
        assert all(effects[event.id] == 1 for event in events)
        assert found("stream_missing") + found("stream_recreated") + found("numbers_repeated") > before

    async def test_stream_deleted_before_anybody_has_read_it(self, line: Line) -> None:
        async with line.running(), connected(line) as client:
            await published(line, 1)
            line.fails = Always()
            events = [line.event() for _ in range(5)]
            await line.commit(*events)
            await asyncio.sleep(0.5)
            await reconciled_after(line, lambda: client.jetstream().delete_stream(STREAM))
            line.fails = {}
            await has_effects(line, *events)

    async def test_single_messages_and_the_newest_deleted(self, line: Line) -> None:
        async with line.running():
            await published(line, 30)
        before = republished()
        async with connected(line) as client:
            jetstream = client.jetstream()
            last = (await jetstream.stream_info(STREAM)).state.last_seq
            for number in (last - 10, last - 7, last):
                await jetstream.delete_msg(STREAM, number)
            async with reconciling(line):
                assert republished() == before + 3
                await is_whole(line, client)
            async with reconciling(line):
                assert republished() == before + 3
            assert set((await on_stream(client, (await publication(line)).feed_id)).values()) == {1}

    async def test_purged(self, line: Line) -> None:
        async with line.running(), connected(line) as client:
            await published(line, 1_200)
            await reconciled_after(line, lambda: client.jetstream().purge_stream(STREAM))
            await is_whole(line, client)
            after = await published(line, 1)
        effects = Counter(await line.effects())
        assert set(effects.values()) == {1}
        assert effects[after[0].id] == 1

    async def test_nats_on_an_empty_disk(self, line: Line) -> None:
        async with line.running():
            first = await published(line, 20)
            line.servers.nats.stop()
            shutil.rmtree(line.servers.folder / "nats" / "jetstream")
            line.servers.nats.start()
            async with connected(line) as client:
                second = await published(line, 20)
                await is_whole(line, client)
        effects = Counter(await line.effects())
        assert all(effects[event.id] == 1 for event in [*first, *second])

    async def test_what_is_sent_again_says_when_it_was_written(self, line: Line) -> None:
        async with line.running(), connected(line) as client:
            (event,) = await published(line, 1)
            await reconciled_after(line, lambda: client.jetstream().purge_stream(STREAM))
            await is_whole(line, client)
            async with line.producer.transaction() as session:
                query = sa.text("SELECT created_at FROM outbox WHERE event_id = :id")
                written = await session.scalar(query, {"id": event.id})
            messages = [m async for batch in read(client, STREAM, 1, 1_000_000) for m in batch]
            assert written in [written_at(message) for message in messages]


class Always(dict[UUID, int]):
    """Every event fails."""

    def get(self, _key: UUID, _default: Any = 0) -> int:
        return 1

    def __getitem__(self, _key: UUID) -> int:
        return 1


class TestFeed:
    async def test_a_database_older_than_its_stream_starts_a_new_feed(self, line: Line) -> None:
        async with line.running():
            await published(line, 10)
        state = await publication(line)
        before = found("feed_ahead")
        async with line.producer.transaction() as session:  # as a backup taken after the fifth event has it
            await session.execute(sa.text("DELETE FROM outbox WHERE position > 5"))
            await session.execute(sa.text("UPDATE publication SET position = 5, published = 5"))
        async with line.running(), connected(line) as client:
            await published(line, 3)
            await is_whole(line, client)
        after = await publication(line)
        assert after.feed_id != state.feed_id
        assert after.position == 8
        assert found("feed_ahead") == before + 1

    async def test_found_also_where_the_stream_does_not_end_with_it(self, line: Line) -> None:
        async with line.running():
            await published(line, 10)
        state = await publication(line)
        async with line.producer.transaction() as session:
            await session.execute(sa.text("DELETE FROM outbox WHERE position > 5"))
            await session.execute(sa.text("UPDATE publication SET position = 5, published = 5"))
        async with connected(line) as client:
            await client.jetstream().publish(
                "kkb.registry.village-registered.v1.33", b"{}", headers={"Kkb-Position": f"{state.feed_id}:2"}
            )
            async with reconciling(line):
                await is_whole(line, client)
        assert (await publication(line)).feed_id != state.feed_id

    async def test_the_same_database_keeps_its_feed(self, line: Line) -> None:
        async with line.running():
            await published(line, 10)
        state = await publication(line)
        async with reconciling(line):
            pass
        assert (await publication(line)).feed_id == state.feed_id


async def test_it_looks_again_soon_while_nats_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing waits for the first look: after ten minutes without NATS it must not wait five more."""
    looks = 0

    class Away:
        connected = False

        async def client(self) -> Client:
            nonlocal looks
            looks += 1
            raise nats.errors.ConnectionClosedError

    monkeypatch.setattr(reconciler, "_LOOK_EVERY_SECONDS", 0.01)
    looking = asyncio.create_task(Reconciler(Away(), STREAM).run(None))  # type: ignore[arg-type]
    try:
        await eventually(lambda: asyncio.sleep(0, looks > 50), 20)
    finally:
        await stop([looking])


class TestReading:
    async def test_in_order_up_to_a_number_also_over_a_restart(self, line: Line) -> None:
        async with connected(line) as client:
            jetstream = client.jetstream()
            await asyncio.gather(*(jetstream.publish("kkb.registry.x.v1.33", b"%d" % n) for n in range(2_000)))
            last = (await jetstream.stream_info(STREAM)).state.last_seq
            await jetstream.publish("kkb.registry.x.v1.33", b"too late")
            numbers: list[int] = []
            async for batch in read(client, STREAM, last - 1_999, last):
                if not numbers:
                    line.servers.nats.stop()
                    line.servers.nats.start()
                numbers += [message.metadata.sequence.stream for message in batch]
            assert numbers == list(range(last - 1_999, last + 1))

    async def test_what_was_lost_on_the_way_at_the_very_end_is_read_again(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The connection breaks during the last batch: nothing comes after it that would show the gap."""
        lost = [True] * 5
        take = Puller._take

        async def lossy(puller: Puller, message: Msg) -> None:
            if lost and not (message.headers or {}).get("Status") and message.metadata.sequence.consumer > 5:
                lost.pop()
                return
            await take(puller, message)

        monkeypatch.setattr(Puller, "_take", lossy)
        async with connected(line) as client:
            jetstream = client.jetstream()
            for number in range(10):
                await jetstream.publish("kkb.registry.x.v1.33", b"%d" % number)
            last = (await jetstream.stream_info(STREAM)).state.last_seq
            found = [int(message.data) async for batch in read(client, STREAM, last - 9, last) for message in batch]
        assert found == list(range(10))
        assert not lost

    async def test_headers_only(self, line: Line) -> None:
        async with line.running(), connected(line) as client:
            await published(line, 3)
            state = await publication(line)
            last = (await client.jetstream().stream_info(STREAM)).state.last_seq
            async for batch in read(client, STREAM, last - 2, last, headers_only=True):
                assert [position_of(message) for message in batch] == [(state.feed_id, n) for n in (1, 2, 3)]
                assert {message.data for message in batch} == {b""}

    async def test_nothing_to_read(self, line: Line) -> None:
        async with connected(line) as client:
            last = (await client.jetstream().stream_info(STREAM)).state.last_seq
            assert [batch async for batch in read(client, STREAM, last + 1, last + 5)] == []

    def test_positions(self) -> None:
        seen = Positions()
        for position in (0, 1, 8, 20, 99):
            seen.add(position)
        assert [p for p in range(200) if p in seen] == [1, 8, 20, 99]
        assert seen.newest == 99
        for position in range(9, 99):
            seen.add(position)
        assert [seen.first_gap(*span) for span in ((8, 99), (9, 16), (1, 99), (90, 120), (300, 301), (5, 4))] == [
            None,
            None,
            2,
            100,
            300,
            None,
        ]
