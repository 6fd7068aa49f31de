"""From a committed change to its effect elsewhere: outbox, relay, JetStream, inbox."""

from __future__ import annotations

import asyncio

import nats
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from kit.bus import Bus
from kit.inbox import Retries
from kit.outbox import MAX_BODY_BYTES, publish
from kit.relay import Relay
from kit.tasks import stop
from tests.conftest import eventually
from tests.kit.line import Line, has_effects


class TestPath:
    async def test_a_committed_event_has_its_effect_once(self, line: Line) -> None:
        events = [line.event() for _ in range(700)]
        async with line.running():
            await line.commit(*events)
            await has_effects(line, *events)
        effects = await line.effects()
        assert len([e for e in effects if e in {event.id for event in events}]) == 700
        assert await line.unpublished() == 0

    async def test_a_notification_wakes_the_relay(self, line: Line) -> None:
        line.poll_seconds = 3600.0
        first, second = line.event(), line.event()
        async with line.running():
            await line.commit(first)
            await has_effects(line, first)
            await line.commit(second)
            await has_effects(line, second)

    async def test_an_outbox_that_was_empty_for_long_is_placed_by_reading_it_once(self, line: Line) -> None:
        """Not by a plan from then, which compares every row with every other: the first import into a new platform."""
        line.poll_seconds = 0.01
        number = 1_500
        counted = "FROM pg_stat_user_tables WHERE relname = 'outbox'"

        async def ask(what: str) -> int:
            async with line.producer.transaction() as session:
                return int(await session.scalar(sa.text(f"SELECT {what} {counted}")))

        async def placed() -> bool:
            return await ask("n_tup_upd") >= number

        async with line.running():
            await asyncio.sleep(1)  # polls, after a few of which PostgreSQL keeps the plan
            await line.commit(*(line.event() for _ in range(number)))
            await eventually(placed)
            assert await ask("seq_tup_read + idx_tup_fetch") < number * 100

    async def test_what_was_in_hand_is_given_back_when_the_process_ends(self, line: Line) -> None:
        line.retries = Retries(ack_seconds=600)  # a redelivery would come after the test
        event = line.event()
        line.holds.clear()
        async with line.running():
            await line.commit(event)
            await asyncio.wait_for(line.held.wait(), 30)
        line.holds.set()
        async with line.running():
            await has_effects(line, event)

    async def test_a_rolled_back_event_is_never_published(self, line: Line) -> None:
        lost, kept = line.event(), line.event()
        async with AsyncSession(line.producer.engine) as session:
            await publish(session, [lost])
            await session.rollback()
        async with line.running():
            await line.commit(kept)
            await has_effects(line, kept)
        assert lost.id not in await line.effects()

    async def test_a_slow_transaction_with_a_lower_id_is_not_skipped(self, line: Line) -> None:
        slow, quick = line.event(), line.event()
        async with line.running():
            async with line.producer.transaction() as session:
                await publish(session, [slow])
                await line.commit(quick)
                await has_effects(line, quick)
            await has_effects(line, slow)

    async def test_repeated_on_the_wire_means_once_in_effect(self, line: Line) -> None:
        event = line.event()
        async with line.running():
            await line.commit(event)
            await has_effects(line, event)
            client = await nats.connect(line.servers.nats_url)
            for copy in range(3):  # no Nats-Msg-Id: the stream takes every copy
                await client.jetstream().publish(event.nats_subject, event.model_dump_json().encode())
                await asyncio.sleep(0.01 * copy)
            last = line.event()
            await line.commit(last)
            await has_effects(line, last)
            await client.close()
        assert (await line.effects()).count(event.id) == 1

    async def test_written_while_nats_is_away_follows_when_it_is_back(self, line: Line) -> None:
        first, second = line.event(), line.event()
        async with line.running():
            await line.commit(first)
            await has_effects(line, first)
            line.servers.nats.stop()
            try:
                await line.commit(second)
                await asyncio.sleep(1.5)
                assert await line.unpublished() == 1
            finally:
                line.servers.nats.start()
            await has_effects(line, second)


class TestPlaces:
    async def test_positions_follow_the_order_of_commits_without_gaps(self, line: Line) -> None:
        slow, quick = line.event(), line.event()
        async with line.running():
            async with line.producer.transaction() as session:
                await publish(session, [slow])
                await line.commit(quick)
                await has_effects(line, quick)
            await has_effects(line, slow)
        async with line.producer.transaction() as session:
            query = sa.text("SELECT event_id, position FROM outbox ORDER BY position")
            assert [tuple(row) for row in await session.execute(query)] == [(quick.id, 1), (slow.id, 2)]

    async def test_places_are_given_while_nats_is_away(self, line: Line) -> None:
        line.servers.nats.stop()
        try:
            async with line.running():
                await line.commit(line.event())

                async def placed() -> bool:
                    async with line.producer.transaction() as session:
                        return bool(await session.scalar(sa.text("SELECT count(position) FROM outbox")))

                await eventually(placed)
                assert await line.unpublished() == 1
        finally:
            line.servers.nats.start()

    async def test_an_event_that_the_bus_would_refuse_is_never_committed(self, line: Line) -> None:
        event = line.event()
        data = event.data.model_copy(update={"name": "x" * MAX_BODY_BYTES})  # type: ignore[attr-defined]  # a state
        with pytest.raises(ValueError, match="larger than the bus takes"):
            await line.commit(event.model_copy(update={"data": data}))
        assert await line.unpublished() == 0


class TestPoison:
    async def test_a_failing_event_neither_blocks_nor_is_lost(self, line: Line) -> None:
        bad, good = line.event(), [line.event() for _ in range(5)]
        line.fails[bad.id] = 2
        async with line.running():
            await line.commit(bad, *good)
            await has_effects(line, *good)
            await has_effects(line, bad)
        effects = await line.effects()
        assert all(effects.count(event.id) == 1 for event in [bad, *good])

    async def test_what_is_no_event_becomes_a_dead_letter_with_its_reason(self, line: Line) -> None:
        after = line.event()
        async with line.running():
            client = await nats.connect(line.servers.nats_url)
            newer = b'{"specversion": "1.0", "type": "id.kampungkb.registry.village-registered.v9"}'
            await client.jetstream().publish("kkb.registry.village-registered.v9.33.26.01.2001", newer)
            await line.commit(after)
            await has_effects(line, after)
            await client.close()
            dead = await eventually(line.dead)
        reasons = [letter.reason for letter in dead if letter.body == newer]
        (reason,) = reasons
        assert "'id.kampungkb.registry.village-registered.v9'; this release reads v1" in reason


class TestLeader:
    async def test_one_publishes_and_the_other_takes_over(self, line: Line) -> None:
        first, second = line.event(), line.event()
        bus = Bus(line.servers.nats_url, "tests")
        connecting = asyncio.create_task(bus.run())
        dsn = line.producer_url.replace("+asyncpg", "")
        relays = [asyncio.create_task(Relay(dsn, bus, "KKB_REGISTRY").run()) for _ in range(2)]

        async def drained() -> bool:
            return await line.unpublished() == 0

        await line.commit(first)
        await eventually(drained)
        leader = await self._leader(line)
        async with line.producer.transaction() as session:
            await session.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": leader})
        await line.commit(second)
        await eventually(drained)
        assert await self._leader(line) != leader
        await stop([*relays, connecting])

    async def _leader(self, line: Line) -> int:
        async def holder() -> int | None:
            async with line.producer.transaction() as session:
                query = (
                    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
                    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
                return await session.scalar(sa.text(query))

        return int(await eventually(holder))
