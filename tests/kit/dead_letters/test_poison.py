"""An event that cannot be handled blocks nobody, is tried again ever more slowly, is put aside and stays in sight."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from kit import inbox, projection_lock
from kit.ids import uuid7
from kit.inbox import Retries
from tests.callers import caller
from tests.conftest import eventually
from tests.kit.dead_letters.conftest import ATTEMPTS, CONSUMER, House, gauge, is_gauge, poison, told

OPERATOR = "operator"


class TestPoison:
    async def test_the_villages_later_events_do_not_wait(self, house: House) -> None:
        village = uuid7()
        first, *later = [told(village, version, f"Nama {version}") for version in (1, 2, 3)]
        house.names.troubles[first.id] = poison
        for event in (first, *later):
            await house.publish(event)
        await house.has_name(village, "Nama 3")
        letter = await house.letter_of(first)
        assert (letter.consumer, letter.region_code) == (CONSUMER, "33.26.01.2001")
        assert (letter.reason, letter.attempts) == ("ValueError: this event is poison", ATTEMPTS)
        assert house.names.tried.count(first.id) >= ATTEMPTS
        assert bytes(letter.body) == first.model_dump_json().encode()
        assert await house.name_of(village) == "Nama 3"
        house.names.troubles.clear()
        answer = await house.client.post(f"/{letter.id}/requeue", headers=caller(OPERATOR))
        assert answer.json()["effect"] == "stale"
        assert await house.name_of(village) == "Nama 3"

    async def test_lag_is_zero_while_one_is_open_and_requeuing_applies_it(self, house: House) -> None:
        village = uuid7()
        event = told(village, name="Kemudian")
        house.names.troubles[event.id] = poison
        await is_gauge("kkb_dead_letters_open", 0)
        await house.publish(event)
        letter = await house.letter_of(event)
        await is_gauge("kkb_dead_letters_open", 1)
        await is_gauge("kkb_consumer_pending", 0)
        assert gauge("kkb_dead_letters_open") == 1
        house.names.troubles.clear()
        answer = await house.client.post(f"/{letter.id}/requeue", headers=caller(OPERATOR))
        assert answer.json()["effect"] == "applied"
        assert await house.name_of(village) == "Kemudian"
        await is_gauge("kkb_dead_letters_open", 0)

    def test_no_delay_beyond_five_minutes_however_often(self) -> None:
        delays = [Retries(seconds=1).delay(delivered) for delivered in (1, 2, 3, 9, 10, 100_000)]
        assert delays == [1, 2, 4, 256, 300, 300]


class TestUnreadable:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"no event", "not JSON"),
            (b"\xff\xfe\x00", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"[]", "not a CloudEvent 1.0"),
            (b'{"specversion": "1.0", "type": "a\\u0000\\ud800b"}', r"unknown event type: 'a\x00\ud800b'"),
            (b'{"specversion": "1.0", "type": "%s"}' % (b"x" * 5_000), "unknown event type: 'xxx"),
            (b'{"specversion": "1.0", "type": "id.kampungkb.registry.village-registered.v1"}', "breaks its contract"),
        ],
    )
    async def test_is_put_aside_at_once_and_the_next_is_taken(self, house: House, body: bytes, reason: str) -> None:
        good = told(uuid7())
        await house.publish(good, body, "kkb.registry.village-registered.v1.33.26.01.2001")
        await house.publish(good)
        await house.has_taken(good)
        (letter,) = await house.ask("SELECT reason, attempts, region_code, body FROM dead_letters")
        assert reason in letter.reason
        assert (letter.attempts, letter.region_code, bytes(letter.body)) == (1, "33.26.01.2001", body)

    async def test_a_reason_that_is_no_proper_text_is_stored(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.CRITICAL, "kit.inbox")  # no report of a test can hold such text

        async def odd(_session: AsyncSession) -> None:
            raise ValueError("a\x00b \ud800 " + "c" * 5_000)

        event = told(uuid7())
        house.names.troubles[event.id] = odd
        await house.publish(event)
        letter = await house.letter_of(event)
        assert letter.reason.startswith(r"ValueError: a\x00b \ud800 ccc")
        assert len(letter.reason) == 2_000

    async def test_copies_are_one_letter(self, house: House) -> None:
        body, good = b"no event", told(uuid7())
        for _ in range(3):
            await house.publish(good, body, "kkb.registry.other")
        await house.publish(good)
        await house.has_taken(good)
        (letter,) = await house.ask("SELECT attempts, region_code FROM dead_letters")
        assert (letter.attempts, letter.region_code) == (3, None)


class TestDatabase:
    async def test_while_it_is_away_no_attempt_is_counted(self, house: House) -> None:
        """Cut off more often than an event may fail, then failing once by its own fault: it is tried again."""
        lost = 0

        async def cut_off(session: AsyncSession) -> None:
            nonlocal lost
            lost += 1
            if lost <= ATTEMPTS + 1:
                await session.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
            if lost == ATTEMPTS + 2:
                await poison(session)

        event = told(uuid7())
        house.names.troubles[event.id] = cut_off
        await house.publish(event)
        await house.has_taken(event)
        assert lost == ATTEMPTS + 3
        assert await house.ask("SELECT 1 FROM dead_letters") == []

    async def test_what_never_fits_a_statements_limit_does_not_hold_up_others(self, house: House) -> None:
        """The database answers, only this takes too long: after some attempts that is the event's fault."""

        async def too_slow(_session: AsyncSession) -> None:
            raise TimeoutError

        slow, good = told(uuid7()), told(uuid7())
        house.names.troubles[slow.id] = too_slow
        await house.publish(slow)
        await house.publish(good)
        await house.has_taken(good)
        assert "TooSlow" in (await house.letter_of(slow)).reason

    async def test_a_rebuild_that_writes_is_not_the_events_fault(
        self, house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of three attempts that took too long, one was followed by a time in which nobody could have done it."""
        monkeypatch.setattr(inbox, "CONNECT_SECONDS", 0.5)
        attempts = 0
        rebuilds: list[asyncio.Task[None]] = []

        async def write_alone() -> None:
            async with house.database.transaction() as session:
                await projection_lock.take_alone(session)
                await asyncio.sleep(1)

        async def slow_thrice(_session: AsyncSession) -> None:
            nonlocal attempts
            attempts += 1
            if attempts == 2:
                rebuilds.append(asyncio.create_task(write_alone()))
                await asyncio.sleep(0.2)
            if attempts <= 3:
                raise TimeoutError

        event = told(uuid7())
        house.names.troubles[event.id] = slow_thrice
        await house.publish(event)
        await house.has_taken(event)
        await asyncio.gather(*rebuilds)
        assert attempts == 4
        assert f"event {event.id} failed" not in caplog.messages


class TestGauge:
    async def test_zero_before_anything_happened(self, house: House) -> None:
        await is_gauge("kkb_dead_letters_open", 0)

    async def test_what_another_process_does_is_seen(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        await is_gauge("kkb_dead_letters_open", 1)
        async with house.database.transaction() as session:
            await session.execute(
                sa.text(
                    "UPDATE dead_letters SET outcome = 'handled', resolved_at = now(), resolved_by = 'x' WHERE id = :id"
                ),
                {"id": number},
            )
        await is_gauge("kkb_dead_letters_open", 0)

    async def test_letters_of_a_consumer_that_is_no_more_are_counted(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()), consumer="tests-gone")

        async def reached(value: float) -> bool:
            return gauge("kkb_dead_letters_open", "tests-gone") == value

        await eventually(lambda: reached(1))
        answer: Any = await house.client.post(f"/{number}/discard", json={"reason": "gone"}, headers=caller(OPERATOR))
        assert answer.status_code == 200
        await eventually(lambda: reached(0))
