"""Dead letters through the API: who sees them, handled again once, discarded with a reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from kit.ids import uuid7
from tests.callers import STRANGER, caller
from tests.kit.dead_letters.conftest import ATTEMPTS, CONSUMER, LETTERS, House, poison, told

OPERATOR = ("operator",)
NEWER = b'{"specversion": "1.0", "id": "x-1", "type": "id.kampungkb.registry.village-registered.v9"}'


def operator(region: str | None = None, name: str = "tests") -> dict[str, str]:
    return caller(*OPERATOR, region=region, name=name)


async def three(house: House) -> list[int]:
    """One in Pekalongan, one in Brebes, one of no region."""
    numbers = [await house.put_aside(told(uuid7(), region=region)) for region in ("33.26.01.2001", "33.29.01.2001")]
    return [*numbers, await house.put_aside(told(uuid7()), body=b"no event", region=None, consumer="tests-other")]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


class TestList:
    async def test_stranger(self, house: House) -> None:
        assert (await house.client.get(LETTERS, headers=STRANGER)).status_code == 401
        for role in ("reader", "officer", "assessor"):
            assert (await house.client.get(LETTERS, headers=caller(role))).status_code == 403

    async def test_wrong_region(self, house: House) -> None:
        answer = await house.client.get(LETTERS, params={"region": "33.29"}, headers=operator("33.26"))
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:kampungkb:problem:region-forbidden"

    @pytest.mark.parametrize(
        "given", [{"outcome": "lost"}, {"limit": 0}, {"cursor": "x"}, {"region": "33.260"}, {"handler": "a"}]
    )
    async def test_invalid(self, house: House, given: dict[str, Any]) -> None:
        assert (await house.client.get(LETTERS, params=given, headers=operator())).status_code == 422

    async def test_the_newest_first_page_by_page(self, house: House) -> None:
        numbers = await three(house)
        first = await house.client.get(LETTERS, params={"limit": 2}, headers=operator())
        rest = await house.client.get(
            LETTERS, params={"limit": 2, "cursor": first.json()["next_cursor"]}, headers=operator()
        )
        assert ids(first) + ids(rest) == numbers[::-1]
        assert rest.json()["next_cursor"] is None

    async def test_a_region_sees_its_own_and_none_without_region(self, house: House) -> None:
        pekalongan, brebes, _ = await three(house)
        assert ids(await house.client.get(LETTERS, headers=operator("33.26"))) == [pekalongan]
        assert ids(await house.client.get(LETTERS, headers=operator("33"))) == [brebes, pekalongan]
        assert ids(await house.client.get(LETTERS, params={"region": "33.29"}, headers=operator())) == [brebes]

    async def test_filters(self, house: House) -> None:
        pekalongan, brebes, other = await three(house)
        await house.client.post(f"/{brebes}/discard", json={"reason": "a test"}, headers=operator())
        assert ids(await house.client.get(LETTERS, headers=operator())) == [other, pekalongan]
        assert ids(await house.client.get(LETTERS, params={"outcome": "discarded"}, headers=operator())) == [brebes]
        assert ids(await house.client.get(LETTERS, params={"outcome": "handled"}, headers=operator())) == []
        assert ids(await house.client.get(LETTERS, params={"consumer": CONSUMER}, headers=operator())) == [pekalongan]

    async def test_what_it_says_and_no_body(self, house: House) -> None:
        event = told(uuid7(), name="Planted")
        number = await house.put_aside(event)
        nonsense = await house.put_aside(event, body=b'["no event"]')
        answer = await house.client.get(LETTERS, headers=operator())
        assert "Planted" not in answer.text
        nothing, item = answer.json()["items"]
        assert item.pop("created_at")
        assert item.pop("failed_at")
        assert item == {
            "id": number,
            "consumer": CONSUMER,
            "event_type": "id.kampungkb.registry.village-registered.v1",
            "event_id": str(event.id),
            "subject": "kkb.registry.village-registered.v1.33.26.01.2001",
            "region_code": "33.26.01.2001",
            "stream_sequence": 7,
            "attempts": ATTEMPTS,
            "reason": "ValueError: as it was",
            "outcome": "open",
            "resolved_at": None,
            "resolved_by": None,
            "resolution": None,
        }
        assert (nothing["id"], nothing["event_type"], nothing["event_id"]) == (nonsense, None, None)


class TestGet:
    async def test_stranger(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        assert (await house.client.get(f"/{number}", headers=STRANGER)).status_code == 401
        assert (await house.client.get(f"/{number}", headers=caller("officer"))).status_code == 403

    async def test_wrong_region(self, house: House) -> None:
        pekalongan, _, nowhere = await three(house)
        for number in (pekalongan, nowhere, nowhere + 1):
            answer = await house.client.get(f"/{number}", headers=operator("33.29"))
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:kampungkb:problem:dead-letter-unknown"

    @pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63)])
    async def test_invalid(self, house: House, number: str) -> None:
        assert (await house.client.get(f"/{number}", headers=operator())).status_code == 422

    async def test_an_event_as_json(self, house: House) -> None:
        event = told(uuid7(), name="Desa \u00e9")
        answer = await house.client.get(f"/{await house.put_aside(event)}", headers=operator())
        assert answer.json()["payload"] == {"format": "json", "content": event.model_dump(mode="json")}

    @pytest.mark.parametrize(
        ("body", "form", "content"),
        [
            (b"no \xc3\xa9vent", "text", "no \u00e9vent"),
            (b'{"a": NaN}', "text", '{"a": NaN}'),
            (b'"\\ud800"', "text", '"\\ud800"'),
            (b"[" * 90_000, "text", "[" * 90_000),
            (b"[" * 400 + b"]" * 400, "text", "[" * 400 + "]" * 400),
            (b"[1, null, 123456789012345678901234567890]", "json", [1, None, 123456789012345678901234567890]),
            (b"\xff\x00", "base64", "/wA="),
            (b"\x00", "text", "\x00"),
        ],
    )
    async def test_other_bytes_without_loss(self, house: House, body: bytes, form: str, content: Any) -> None:
        number = await house.put_aside(told(uuid7()), body=body)
        answer = await house.client.get(f"/{number}", headers=operator())
        assert answer.status_code == 200, answer.text
        assert answer.json()["payload"] == {"format": form, "content": content}
        assert number in ids(await house.client.get(LETTERS, headers=operator()))


class TestRequeue:
    async def test_stranger(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        assert (await house.client.post(f"/{number}/requeue", headers=STRANGER)).status_code == 401
        assert (await house.client.post(f"/{number}/requeue", headers=caller("officer"))).status_code == 403

    async def test_wrong_region(self, house: House) -> None:
        pekalongan, _, nowhere = await three(house)
        for number in (pekalongan, nowhere):
            answer = await house.client.post(f"/{number}/requeue", headers=operator("33.29"))
            assert answer.status_code == 404
            assert (await house.letter(number)).outcome is None

    async def test_invalid(self, house: House) -> None:
        assert (await house.client.post("/x/requeue", headers=operator())).status_code == 422
        assert (await house.client.post("/1/requeue", params={"all": "yes"}, headers=operator())).status_code == 422

    async def test_resolved_before(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)
        await house.client.post(f"/{number}/discard", json={"reason": "a test"}, headers=operator())
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:kampungkb:problem:already-resolved"
        assert await house.times_applied(event) == 0

    async def test_of_a_consumer_that_is_no_more(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()), consumer="tests-gone")
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert answer.status_code == 409
        assert "tests-gone" in answer.json()["detail"]
        assert (await house.letter(number)).attempts == ATTEMPTS

    async def test_failing_again_keeps_attempt_and_reason_and_no_effect(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)
        before = await house.letter(number)
        house.names.troubles[event.id] = poison
        for times in (1, 2):
            answer = await house.client.post(f"/{number}/requeue", headers=operator())
            assert answer.status_code == 409
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json() == {
                "type": "urn:kampungkb:problem:still-failing",
                "title": "The event still cannot be handled",
                "status": 409,
                "detail": "ValueError: this event is poison",
                "instance": f"/api/v1/dead-letters/scoring/{number}/requeue",
                "attempts": ATTEMPTS + times,
            }
            letter = await house.letter(number)
            assert (letter.attempts, letter.reason) == (ATTEMPTS + times, "ValueError: this event is poison")
        assert letter.failed_at > before.failed_at
        assert letter.outcome is None
        assert await house.times_applied(event) == 0
        assert not await house.in_inbox(event)

    async def test_what_is_no_event_fails_with_its_reason(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()), body=NEWER)
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert answer.status_code == 409
        assert "this release reads v1: requeue it after this service has been upgraded" in answer.json()["detail"]

    async def test_a_failing_statement_shows_no_values(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)

        async def overflow(session: AsyncSession) -> None:
            await session.execute(sa.text("SELECT cast(:secret AS text), 1 / cast(0 AS int)"), {"secret": "planted"})

        house.names.troubles[event.id] = overflow
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert answer.json()["detail"] == "DivisionByZeroError: division by zero"

    async def test_the_database_away_is_no_attempt(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)

        async def cut_off(session: AsyncSession) -> None:
            await session.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

        house.names.troubles[event.id] = cut_off
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        letter = await house.letter(number)
        assert (letter.attempts, letter.reason, letter.outcome) == (ATTEMPTS, "ValueError: as it was", None)
        house.names.troubles.clear()
        assert (await house.client.post(f"/{number}/requeue", headers=operator())).status_code == 200

    async def test_handled_now(self, house: House) -> None:
        village = uuid7()
        event = told(village, name="Baru")
        number = await house.put_aside(event)
        answer = await house.client.post(f"/{number}/requeue", headers=operator(name="ops-1"))
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["outcome"], said["resolved_by"], said["effect"]) == ("handled", "ops-1", "applied")
        assert said["resolved_at"]
        assert await house.name_of(village) == "Baru"
        assert await house.in_inbox(event)
        shown = (await house.client.get(f"/{number}", headers=operator())).json()
        assert (shown["outcome"], shown["resolution"]) == ("handled", None)

    async def test_outdated_changes_nothing(self, house: House) -> None:
        village = uuid7()
        number = await house.put_aside(told(village, version=1, name="Lama"))
        await house.publish(told(village, version=2, name="Baru"))
        await house.has_name(village, "Baru")
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert (answer.status_code, answer.json()["effect"]) == (200, "stale")
        assert await house.name_of(village) == "Baru"

    async def test_what_took_effect_before_is_not_applied_twice(self, house: House) -> None:
        village = uuid7()
        event = told(village)
        number = await house.put_aside(event)
        await house.publish(event)
        await house.has_name(village, "Desa")
        answer = await house.client.post(f"/{number}/requeue", headers=operator())
        assert (answer.status_code, answer.json()["effect"]) == (200, "duplicate")
        assert (await house.letter(number)).outcome == "handled"
        assert await house.times_applied(event) == 1

    async def test_what_the_consumer_is_handling_just_now_is_waited_for(self, house: House) -> None:
        village = uuid7()
        event = told(village)
        number = await house.put_aside(event)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_session: AsyncSession) -> None:
            begun.set()
            await go_on.wait()

        house.names.troubles[event.id] = slow
        await house.publish(event)
        await begun.wait()
        requeued = asyncio.create_task(house.client.post(f"/{number}/requeue", headers=operator()))
        await asyncio.sleep(0.3)
        assert not requeued.done()
        go_on.set()
        assert (await requeued).json()["effect"] == "duplicate"
        assert await house.times_applied(event) == 1

    async def test_two_at_once(self, house: House) -> None:
        for _ in range(5):
            event = told(uuid7())
            number = await house.put_aside(event)
            answers = await asyncio.gather(
                *(house.client.post(f"/{number}/requeue", headers=operator()) for _ in range(4))
            )
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
            assert await house.times_applied(event) == 1

    async def test_against_a_discard(self, house: House) -> None:
        for _ in range(5):
            event = told(uuid7())
            number = await house.put_aside(event)
            requeued, discarded = await asyncio.gather(
                house.client.post(f"/{number}/requeue", headers=operator()),
                house.client.post(f"/{number}/discard", json={"reason": "a test"}, headers=operator()),
            )
            assert sorted([requeued.status_code, discarded.status_code]) == [200, 409]
            outcome = (await house.letter(number)).outcome
            assert outcome == ("handled" if requeued.status_code == 200 else "discarded")
            assert await house.times_applied(event) == (outcome == "handled")

    async def test_replay(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)
        headers = {**operator(), "Idempotency-Key": "requeue-once"}
        house.names.troubles[event.id] = poison
        failed = [await house.client.post(f"/{number}/requeue", headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in failed] == [409, 409]
        assert failed[0].json() == failed[1].json()
        assert failed[1].headers["content-type"] == "application/problem+json"
        assert failed[1].headers["idempotency-replayed"] == "true"
        assert (await house.letter(number)).attempts == ATTEMPTS + 1
        house.names.troubles.clear()
        headers["Idempotency-Key"] = "requeue-twice"
        done = [await house.client.post(f"/{number}/requeue", headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in done] == [200, 200]
        assert done[0].json() == done[1].json()
        assert await house.times_applied(event) == 1


class TestDiscard:
    async def test_stranger(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        body = {"reason": "a test"}
        assert (await house.client.post(f"/{number}/discard", json=body, headers=STRANGER)).status_code == 401
        assert (await house.client.post(f"/{number}/discard", json=body, headers=caller("reader"))).status_code == 403

    async def test_wrong_region(self, house: House) -> None:
        pekalongan, _, nowhere = await three(house)
        for number in (pekalongan, nowhere):
            answer = await house.client.post(f"/{number}/discard", json={"reason": "a test"}, headers=operator("33.29"))
            assert answer.status_code == 404
            assert (await house.letter(number)).outcome is None

    @pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": None}, {"reason": "a", "why": "b"}])
    async def test_invalid(self, house: House, body: dict[str, Any]) -> None:
        number = await house.put_aside(told(uuid7()))
        assert (await house.client.post(f"/{number}/discard", json=body, headers=operator())).status_code == 422
        assert (await house.letter(number)).outcome is None

    async def test_resolved_before(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        assert (await house.client.post(f"/{number}/requeue", headers=operator())).status_code == 200
        answer = await house.client.post(f"/{number}/discard", json={"reason": "a test"}, headers=operator())
        assert answer.status_code == 409
        assert (await house.letter(number)).outcome == "handled"

    async def test_with_its_reason(self, house: House) -> None:
        event = told(uuid7())
        number = await house.put_aside(event)
        answer = await house.client.post(
            f"/{number}/discard", json={"reason": " never was \n an event "}, headers=operator("33.26", "ops-2")
        )
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["outcome"], said["resolution"], said["resolved_by"]) == (
            "discarded",
            "never was \n an event",
            "ops-2",
        )
        assert await house.times_applied(event) == 0

    async def test_replay(self, house: House) -> None:
        number = await house.put_aside(told(uuid7()))
        headers = {**operator(), "Idempotency-Key": "discard-once"}
        answers = [
            await house.client.post(f"/{number}/discard", json={"reason": "a test"}, headers=headers) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        other = await house.client.post(f"/{number}/discard", json={"reason": "another"}, headers=headers)
        assert other.status_code == 422
