"""Dead letters and retries over several processes, each started as its test needs it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from kit.dead_letters import watch
from kit.ids import uuid7
from tests.callers import caller
from tests.conftest import app_of
from tests.kit.dead_letters.conftest import CONSUMER, StartHouse, is_gauge, poison, told


async def test_tried_again_ever_more_slowly(start_house: StartHouse) -> None:
    seconds, attempts = 0.2, 4
    times: list[float] = []

    async def note(_session: AsyncSession) -> None:
        times.append(asyncio.get_running_loop().time())
        raise ValueError("this event is poison")

    async with start_house(event_attempts=attempts, event_retry_seconds=seconds) as house:
        await house.empty()
        event = told(uuid7())
        house.names.troubles[event.id] = note
        await house.publish(event)
        assert (await house.letter_of(event)).attempts == attempts
    assert len(times) == attempts
    waited = [after - before for before, after in pairwise(times)]
    assert all(gap >= seconds * 2**number for number, gap in enumerate(waited)), waited


async def test_thousands_may_wait_before_the_next_is_held_up(
    start_house: StartHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """Seen with a limit of 200 and 300 events that fail: the stream delivers nothing more until some are put aside."""
    async with start_house(event_retry_seconds=300, event_attempts=2) as house:
        await house.empty()
        bad, good = [told(uuid7()) for _ in range(50)], told(uuid7())
        house.names.troubles |= {event.id: poison for event in bad}
        await asyncio.gather(*(house.publish(event) for event in bad))
        await house.publish(good)
        await house.has_taken(good)
        jetstream = await app_of(house.client).state.bus.jetstream()
        found = await jetstream.consumer_info("KKB_REGISTRY", CONSUMER)
        assert found.num_ack_pending == len(bad)
        assert found.config.max_ack_pending == 50_000
        assert await house.ask("SELECT 1 FROM dead_letters") == []
        await jetstream.purge_stream("KKB_REGISTRY")
    failures = [record.exc_info[1] for record in caplog.records if record.name == "kit.inbox" and record.exc_info]
    assert len(failures) == len(bad)
    assert all(error and error.__context__ is None for error in failures), "a log line is of its own event only"


async def test_while_it_is_slow_no_other_process_is_given_the_event(start_house: StartHouse) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_session: AsyncSession) -> None:
        begun.set()
        await go_on.wait()

    async with start_house(event_ack_seconds=2) as house, start_house(event_ack_seconds=2):
        await house.empty()
        event = told(uuid7())
        house.names.troubles[event.id] = slow
        await house.publish(event)
        await begun.wait()
        await asyncio.sleep(5)
        jetstream = await app_of(house.client).state.bus.jetstream()
        found = await jetstream.consumer_info("KKB_REGISTRY", CONSUMER)
        go_on.set()
        assert found.num_redelivered == 0
        await house.has_taken(event)


async def test_it_survives_a_restart(start_house: StartHouse) -> None:
    async with start_house() as house:
        await house.empty()
        await house.put_aside(told(uuid7()))
    async with start_house() as house:
        await is_gauge("kkb_dead_letters_open", 1)
        await house.empty()


async def test_its_own_doing_is_counted_without_waiting_for_the_next_look(
    start_house: StartHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LOOK_EVERY_SECONDS", 3_600.0)
    async with start_house() as house:
        await house.empty()
        await is_gauge("kkb_dead_letters_open", 0)
        for path, body in (("requeue", None), ("discard", {"reason": "a test"})):
            event = told(uuid7())
            house.names.troubles[event.id] = poison
            await house.publish(event)
            letter = await house.letter_of(event)
            await is_gauge("kkb_dead_letters_open", 1)
            house.names.troubles.clear()
            answer = await house.client.post(f"/{letter.id}/{path}", json=body, headers=caller("operator"))
            assert answer.status_code == 200, answer.text
            await is_gauge("kkb_dead_letters_open", 0)
