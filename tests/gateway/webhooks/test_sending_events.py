"""From an event to its receiver, with the registry's own events: order, failures, pauses, redelivery, rights."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from uuid import UUID

import pytest

from gateway.deliveries import lanes, metrics
from tests.conftest import eventually
from tests.gateway.webhooks.conftest import OK, Answer, Scene, Taken

FAILING: Answer = (500, {}, b"rusak")


class TestDelivery:
    async def test_an_event_comes_signed_and_is_logged(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        webhook = await scene.make(owner, place)
        code = await scene.tell("Satu", "81.03")
        (taken,) = await place.has(1)
        assert taken.signed_by(webhook["secret"])
        assert taken.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert taken.headers["webhook-id"] == taken.event["id"]
        assert (taken.event["subject"], taken.event["data"]["name"]) == (code, "Satu")
        (logged,) = await scene.until_state(owner, webhook["id"], "delivered")
        assert (logged["message_id"], logged["region_code"], logged["attempts"]) == (taken.event["id"], code, 1)
        detail = await scene.get(owner, f"/webhooks/{webhook['id']}/deliveries/{logged['id']}")
        assert detail["body"].encode() == taken.body
        assert [(one["outcome"], one["status"], one["reason"]) for one in detail["tried"]] == [("delivered", 200, None)]

    async def test_only_what_is_wanted_of_the_region(self, scene: Scene) -> None:
        owner, near, other = await scene.reader("81.04"), scene.receiver.place(), scene.receiver.place()
        await scene.make(owner, near, types=None)
        await scene.make(owner, other, types=["profile-reported"])
        await scene.tell("Jauh", "81.03")
        await scene.tell("Dekat", "81.04")
        await near.has(1)
        assert (near.names, other.names) == (["Dekat"], [])

    async def test_nobody_waits_for_a_slow_receiver(self, scene: Scene) -> None:
        owner, slow, quick = await scene.reader(), scene.receiver.place(), scene.receiver.place()
        answered = asyncio.Event()

        async def hang(_taken: Taken) -> Answer:
            await answered.wait()
            return OK

        slow.answers = hang
        await scene.make(owner, slow)
        await scene.make(owner, quick)
        await scene.tell("Lambat", "81.03")
        await slow.has(1)
        await quick.has(1)
        assert (quick.names, answered.is_set()) == (["Lambat"], False)
        answered.set()

    async def test_a_receivers_cookies_are_not_sent_back(self, scene: Scene) -> None:
        owner, place = await scene.reader(), scene.receiver.place()
        place.answers = lambda _taken: (200, {"set-cookie": "a=b"}, b"")
        webhook = await scene.make(owner, place)
        for number in (1, 2):
            await scene.post(owner, f"/webhooks/{webhook['id']}/ping")
            await place.has(number)
        assert all("cookie" not in taken.headers for taken in place.taken)


class TestFailures:
    async def test_order_is_kept_while_one_is_tried_again(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        place.answers = lambda _taken: FAILING if len(place.taken) < 3 else OK
        webhook = await scene.make(owner, place)
        await scene.tell("Pertama", "81.03")
        await place.has(1)
        await scene.tell("Kedua", "81.03")
        failing = await eventually_failing(scene, owner, webhook["id"])
        assert failing["retry_at"] > failing["failing_since"]
        for number in (2, 3):
            await eventually_failing(scene, owner, webhook["id"], number - 1)
            await scene.hurry(webhook["id"])
            await place.has(number)
        await scene.until_state(owner, webhook["id"], "delivered", 2)
        assert place.names == ["Pertama", "Pertama", "Pertama", "Kedua"]
        assert len({taken.headers["webhook-id"] for taken in place.taken}) == 2
        well = await scene.get(owner, f"/webhooks/{webhook['id']}")
        assert (well["failures"], well["failing_since"], well["retry_at"]) == (0, None, None)
        assert well["delivered_at"] is not None

    async def test_what_is_never_taken_steps_aside_and_is_given_up(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        given_up = metrics.DELIVERIES.labels("given_up")._value.get()
        refused = metrics.ATTEMPTS.labels("refused")._value.get()
        body = b"baris\r\nsatu\x07 kkb_0123abc whsec_Zm9v Bearer abc.def"
        place.answers = lambda taken: (422, {}, body) if taken.event["data"]["name"] == "Racun" else OK
        webhook = await scene.make(owner, place)
        await scene.tell("Racun", "81.03")
        await scene.tell("Baik", "81.03")

        async def passed() -> bool:
            await scene.hurry(webhook["id"], aside=False)
            return "Baik" in place.names

        await eventually(passed)
        assert place.names[:5] == ["Racun"] * 4 + ["Baik"]
        await scene.until_state(owner, webhook["id"], "delivered")
        await scene.sql(
            "UPDATE webhook_deliveries SET first_tried_at = now() - interval '4 days' WHERE webhook_id = :id "
            "AND state = 'waiting'",
            id=webhook["id"],
        )
        await scene.hurry(webhook["id"])
        (lost,) = await scene.until_state(owner, webhook["id"], "given_up")
        assert metrics.DELIVERIES.labels("given_up")._value.get() == given_up + 1
        assert metrics.ATTEMPTS.labels("refused")._value.get() == refused + lost["attempts"]
        detail = await scene.get(owner, f"/webhooks/{webhook['id']}/deliveries/{lost['id']}")
        newest = detail["tried"][0]
        assert (newest["number"], newest["outcome"], newest["status"]) == (lost["attempts"], "refused", 422)
        assert newest["excerpt"] == "baris satu *** *** ***"
        assert (await scene.get(owner, f"/webhooks/{webhook['id']}"))["state"] == "active"

    async def test_a_receiver_that_is_away_for_days_is_paused_and_loses_nothing(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        place.answers = lambda _taken: FAILING
        webhook = await scene.make(owner, place)
        url = f"/webhooks/{webhook['id']}"
        await scene.tell("Satu", "81.03")
        await eventually_failing(scene, owner, webhook["id"])
        await scene.sql(
            "UPDATE webhook_deliveries SET first_tried_at = now() - interval '73 hours' WHERE webhook_id = :id",
            id=webhook["id"],
        )
        await scene.hurry(webhook["id"])
        paused = await eventually_state(scene, owner, webhook["id"], "paused")
        assert paused["reason"] == "failures"
        await scene.running.gateway.own.state.leading._measure()
        assert metrics.WEBHOOKS.labels("failures")._value.get() >= 1
        await scene.tell("Dua", "81.03")
        await scene.until_state(owner, webhook["id"], "waiting", 2)
        place.answers = lambda _taken: OK
        tried = len(place.taken)
        ping = await scene.post(owner, f"{url}/ping")
        await place.has(tried + 1)
        assert place.taken[-1].event["type"] == "id.kampungkb.gateway.ping.v1"
        assert place.taken[-1].signed_by(webhook["secret"])
        await scene.until_state(owner, webhook["id"], "delivered")
        assert (await scene.get(owner, f"{url}/deliveries/{ping['id']}"))["state"] == "delivered"
        resumed = await scene.post(owner, f"{url}/resumption", {"missed": "deliver"})
        assert (resumed["state"], resumed["reason"]) == ("active", None)
        await place.has(tried + 3)
        assert place.names[-2:] == ["Satu", "Dua"]

    async def test_skipped_ones_can_be_had_later(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        webhook = await scene.make(owner, place)
        url = f"/webhooks/{webhook['id']}"
        start = webhook["created_at"]
        await scene.post(owner, f"{url}/pause")
        await scene.tell("Terlewat", "81.03")
        (missed,) = await scene.until_state(owner, webhook["id"], "waiting")
        await scene.post(owner, f"{url}/resumption", {"missed": "skip"})
        await scene.tell("Berikut", "81.03")
        await place.has(1)
        assert place.names == ["Berikut"]
        assert [one["id"] for one in await scene.deliveries(owner, webhook["id"], "skipped")] == [missed["id"]]
        span = {"start": start, "end": "2099-01-01T00:00:00Z"}
        assert await scene.post(owner, f"{url}/redelivery", span) == {"deliveries": 1}
        await place.has(2)
        assert place.names == ["Berikut", "Terlewat"]
        (delivered,) = [
            one for one in await scene.until_state(owner, webhook["id"], "delivered", 2) if one["id"] != missed["id"]
        ]
        await scene.post(owner, f"{url}/deliveries/{delivered['id']}/redelivery")
        await place.has(3)
        assert place.taken[2].headers["webhook-id"] == place.taken[0].headers["webhook-id"]
        await scene.until_state(owner, webhook["id"], "delivered", 2)
        assert await scene.post(owner, f"{url}/redelivery", {**span, "which": "all"}) == {"deliveries": 2}
        await place.has(5)
        assert sorted(place.names[3:]) == ["Berikut", "Terlewat"]

    async def test_gone_pauses_at_once(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        place.answers = lambda _taken: (410, {}, b"")
        webhook = await scene.make(owner, place)
        await scene.tell("Pergi", "81.03")
        assert (await eventually_state(scene, owner, webhook["id"], "paused"))["reason"] == "gone"
        assert len(await scene.deliveries(owner, webhook["id"], "waiting")) == 1

    async def test_a_secret_that_cannot_be_read_waits_for_its_key(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another gateway made it with a newer key file, and this one leads yet."""
        monkeypatch.setattr(lanes, "_LOOK_AGAIN_SECONDS", 0.1)
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        webhook = await scene.make(owner, place)
        ((secret,),) = await scene.sql("SELECT secret FROM webhooks WHERE id = :id", id=webhook["id"])
        await scene.sql("UPDATE webhooks SET secret = :s WHERE id = :id", s=secret[::-1], id=webhook["id"])
        await scene.tell("Menunggu", "81.03")
        await scene.post(owner, f"/webhooks/{webhook['id']}/ping")
        waiting = scene.running.gateway.own.state.leading._lanes._unreadable

        async def noticed() -> bool:
            return UUID(webhook["id"]) in waiting

        await eventually(noticed)
        assert (await scene.get(owner, f"/webhooks/{webhook['id']}"))["state"] == "active"
        assert place.taken == []
        await scene.sql("UPDATE webhooks SET secret = :s WHERE id = :id", s=secret, id=webhook["id"])
        for taken in await place.has(2):
            assert taken.signed_by(webhook["secret"])

    async def test_a_secret_that_cannot_be_read_for_long_pauses(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lanes, "UNREADABLE_SECONDS", 0.0)
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        webhook, other = await scene.make(owner, place), await scene.make(owner, place)
        # another webhook's secret does not fit either: it is bound to its own
        await scene.sql(
            "UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE id = :other) WHERE id = :id",
            id=webhook["id"],
            other=other["id"],
        )
        await scene.post(owner, f"/webhooks/{webhook['id']}/ping")
        assert (await eventually_state(scene, owner, webhook["id"], "paused"))["reason"] == "secret_unreadable"


class TestRights:
    async def test_a_webhook_ends_with_its_owner(self, scene: Scene) -> None:
        admin = scene.running.with_key()
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        place.answers = lambda _taken: FAILING
        webhook = await scene.make(owner, place)
        await scene.tell("Dicabut", "81.03")
        await eventually_failing(scene, owner, webhook["id"])
        await scene.running.client.delete(f"/keys/{owner['x-test-id']}", headers=admin)
        await scene.hurry(webhook["id"])
        ended = await eventually_state(scene, admin, webhook["id"], "ended")
        assert ended["reason"] == "owner_revoked"
        assert [one["state"] for one in await scene.deliveries(admin, webhook["id"])] == ["skipped"]
        assert len(place.taken) == 1

    async def test_also_one_that_has_nothing_to_send(self, scene: Scene) -> None:
        admin = scene.running.with_key()
        owner = await scene.reader("81.03")
        webhook = await scene.make(owner, scene.receiver.place())
        await scene.sql("UPDATE api_keys SET expires_at = now() WHERE id = :id", id=owner["x-test-id"])
        ended = await eventually_state(scene, admin, webhook["id"], "ended")
        assert ended["reason"] == "owner_expired"

    async def test_what_the_owner_may_not_see_any_more_is_not_sent(self, scene: Scene) -> None:
        owner, place = await scene.reader("81.03"), scene.receiver.place()
        webhook = await scene.make(owner, place)
        await scene.sql("UPDATE api_keys SET region = '81.04' WHERE id = :id", id=owner["x-test-id"])
        await scene.tell("Rahasia", "81.03")
        await scene.until_state(scene.running.with_key(), webhook["id"], "skipped")
        assert place.taken == []


class TestSecrets:
    async def test_two_signatures_while_both_are_valid(self, scene: Scene) -> None:
        owner, place = await scene.reader(), scene.receiver.place()
        webhook = await scene.make(owner, place)
        url = f"/webhooks/{webhook['id']}"
        rotated = await scene.post(owner, f"{url}/rotation", {"overlap_hours": 1}, **{"If-Match": '"1"'})
        assert rotated["previous_secret_until"] is not None
        await scene.post(owner, f"{url}/ping")
        (both,) = await place.has(1)
        assert both.signed_by(webhook["secret"])
        assert both.signed_by(rotated["secret"])
        last = await scene.post(owner, f"{url}/rotation", {"overlap_hours": 0}, **{"If-Match": '"2"'})
        await scene.post(owner, f"{url}/ping")
        alone = (await place.has(2))[1]
        assert alone.signed_by(last["secret"])
        assert len(alone.headers["webhook-signature"].split()) == 1
        stale = await scene.running.client.post(f"{url}/rotation", json={}, headers={**owner, "If-Match": '"2"'})
        assert stale.status_code == 412

    async def test_nothing_in_the_database_opens_them(self, scene: Scene) -> None:
        owner = await scene.reader()
        webhook = await scene.make(owner, scene.receiver.place())
        secret = webhook["secret"].removeprefix("whsec_")
        ((row,),) = await scene.sql("SELECT w::text FROM webhooks w WHERE id = :id", id=webhook["id"])
        assert secret not in row
        assert secret.encode().hex() not in row
        assert base64.b64decode(secret).hex() not in row


async def eventually_state(scene: Scene, owner: dict[str, str], webhook: str, state: str) -> dict[str, Any]:
    async def there() -> Any:
        found = await scene.get(owner, f"/webhooks/{webhook}")
        return found if found["state"] == state else None

    found: dict[str, Any] = await eventually(there)
    return found


async def eventually_failing(scene: Scene, owner: dict[str, str], webhook: str, times: int = 1) -> dict[str, Any]:
    async def there() -> Any:
        found = await scene.get(owner, f"/webhooks/{webhook}")
        return found if found["failures"] >= times else None

    found: dict[str, Any] = await eventually(there)
    return found
