"""Where events come from: the feeds, from now on, from a cursor, and when they were made anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any
from uuid import uuid4

import pytest

from gateway.deliveries import store
from gateway.deliveries.feeds import NOTHING, FeedPage, Interest, OwnFeeds
from gateway.deliveries.following import Follower
from gateway.deliveries.leading import LOCK
from kit.changes import cursor
from kit.changes.cursor import Place as FeedPlace
from tests.conftest import eventually
from tests.gateway.webhooks.conftest import Scene


async def test_from_a_cursor_on_and_then_with_the_others(scene: Scene) -> None:
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    before = await scene.tell("Sebelum", "81.03")

    async def read() -> str | None:
        page = await scene.get(owner, "/changes/registry?limit=500")
        return page["next_since"] if before in [item["event"]["subject"] for item in page["items"]] else None

    since = await eventually(read)
    await scene.tell("Sesudah", "81.03")
    await scene.tell("Lain", "81.04")
    webhook = await scene.make(owner, place, types=None, since={"registry": since})
    await place.has(1)
    await scene.tell("Kemudian", "81.03")
    await place.has(2)
    assert place.names == ["Sesudah", "Kemudian"]
    assert (await scene.get(owner, f"/webhooks/{webhook['id']}"))["catching_up"] == []


async def test_from_a_cursor_far_behind_the_others(scene: Scene) -> None:
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    await scene.tell("Lama", "81.03")
    beginning = (await scene.get(owner, "/changes/registry?limit=1"))["next_since"]
    everything = await scene.get(owner, f"/changes/registry?limit=500&type=village-registered&since={beginning}")
    number = len(everything["items"])
    assert number > 0
    await scene.sql(
        "UPDATE webhook_feeds SET since = :since, position = :position WHERE service = 'registry'",
        since=everything["next_since"],
        position=cursor.read("registry", everything["next_since"]).position,
    )
    webhook = await scene.make(owner, place, since={"registry": beginning})
    assert webhook["catching_up"] == ["registry"]
    await place.has(number)
    await scene.tell("Kemudian", "81.03")
    await place.has(number + 1)
    assert place.names == [*(item["event"]["data"]["name"] for item in everything["items"]), "Kemudian"]
    assert (await scene.get(owner, f"/webhooks/{webhook['id']}"))["catching_up"] == []


async def test_it_begins_at_the_feeds_end_however_long_ago_that_was_read(scene: Scene) -> None:
    """Nobody has wanted anything for a while, so the feed's end is that of when somebody looked last."""
    await nobody_wants_anything(scene)
    await scene.tell("Sebelum", "81.03")
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    webhook = await scene.make(owner, place)
    assert webhook["catching_up"] == []
    await scene.tell("Sesudah", "81.03")
    await place.has(1)
    await scene.tell("Kemudian", "81.03")
    await place.has(2)
    assert place.names == ["Sesudah", "Kemudian"]


async def test_a_feed_made_anew_loses_nothing_and_repeats_nothing(scene: Scene) -> None:
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    webhook = await scene.make(owner, place)
    await scene.tell("Lama", "81.03")
    await place.has(1)
    # as if the database behind it had been replaced: what we hold is a place in another feed
    other = cursor.write("registry", FeedPlace(uuid4(), 5))
    await scene.sql("UPDATE webhook_feeds SET since = :since WHERE service = 'registry'", since=other)
    await scene.tell("Baru", "81.03")
    await place.has(3)
    told, new = sorted(place.taken[1:], key=lambda taken: "name" in taken.event["data"])
    assert (told.event["type"], told.event["data"]) == (
        "id.kampungkb.gateway.feed-reset.v1",
        {"service": "registry"},
    )
    assert told.signed_by(webhook["secret"])
    assert new.event["data"]["name"] == "Baru"

    async def settled() -> bool:
        return not await scene.sql("SELECT 1 FROM webhook_feeds WHERE anew_after IS NOT NULL OR since IS NULL")

    await eventually(settled)
    await scene.tell("Terbaru", "81.03")
    await place.has(4)
    assert sorted(map(str, place.names)) == ["Baru", "Lama", "None", "Terbaru"]


async def test_what_breaks_off_before_the_commit_is_read_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    webhook = await scene.make(owner, place)
    broken: list[int] = []
    log = store.log

    async def break_off(*arguments: Any) -> list[int]:
        logged = await log(*arguments)
        if logged and not broken:
            broken.extend(logged)
            raise ConnectionResetError
        return logged

    monkeypatch.setattr(store, "log", break_off)
    code = await scene.tell("Utuh", "81.03")
    await place.has(1)
    assert broken
    assert [one["region_code"] for one in await scene.deliveries(owner, webhook["id"])] == [code]
    assert place.names == ["Utuh"]


async def test_the_log_goes_back_thirty_days(scene: Scene) -> None:
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    webhook = await scene.make(owner, place)
    codes = [await scene.tell(name, "81.03") for name in ("Usang", "Masih")]

    async def both() -> list[dict[str, Any]]:
        found = {one["region_code"]: one for one in await scene.deliveries(owner, webhook["id"], "delivered")}
        return [found[code] for code in codes] if found.keys() >= set(codes) else []

    old, kept = await eventually(both)
    for table, column, number in (
        ("webhook_deliveries", "message_id", old["message_id"]),
        ("webhook_messages", "id", old["message_id"]),
    ):
        await scene.sql(f"UPDATE {table} SET logged_at = now() - interval '31 days' WHERE {column} = :id", id=number)
    await scene.running.gateway.own.state.leading._clean()
    left = await scene.deliveries(owner, webhook["id"])
    assert kept in left
    assert old["id"] not in {one["id"] for one in left}
    assert not await scene.sql("SELECT 1 FROM webhook_attempts WHERE delivery_id = :id", id=old["id"])


async def test_a_lost_leader_is_followed_by_another(scene: Scene) -> None:
    holder = (
        "SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE application_name = 'kkb-webhooks' "
        f"AND locktype = 'advisory' AND objid = {LOCK} AND granted AND datname = current_database()"
    )
    ((old,),) = await scene.sql(holder)
    await scene.sql("SELECT pg_terminate_backend(:pid)", pid=old)

    async def led_again() -> bool:
        return [pid for (pid,) in await scene.sql(holder)] not in ([], [old])

    await eventually(led_again)
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    await scene.make(owner, place)
    await scene.tell("Pengganti", "81.03")
    await place.has(1)
    assert place.names == ["Pengganti"]


CLASSED, REGISTERED, REPORTED = "village-classified", "village-registered", "profile-reported"


@pytest.mark.parametrize(
    ("wanted", "interest"),
    [
        ([], NOTHING),
        ([([CLASSED], None)], NOTHING),
        ([(None, None)], Interest()),
        ([([REGISTERED], "81.03")], Interest("81.03", (REGISTERED,))),
        ([([REGISTERED, CLASSED], "81.03"), ([CLASSED], "12")], Interest("81.03", (REGISTERED,))),
        ([([REGISTERED], "81.03.01"), ([REPORTED], "81.04")], Interest("81", (REPORTED, REGISTERED))),
        ([([REGISTERED], "81.03"), ([REGISTERED], "81.03.01.2001")], Interest("81.03", (REGISTERED,))),
        ([([REGISTERED], "81.03"), ([REGISTERED], "12.03")], Interest(None, (REGISTERED,))),
        ([([REGISTERED], "81.03"), (None, "81.04")], Interest("81")),
        ([([REGISTERED], "81.03"), ([REGISTERED], None)], Interest(None, (REGISTERED,))),
    ],
    ids=str,
)
def test_what_covers_all_that_is_wanted(
    wanted: list[tuple[Collection[str] | None, str | None]], interest: Interest
) -> None:
    assert Interest.of("registry", wanted) == interest


async def test_of_a_feed_only_what_somebody_wants_is_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    read, pages = OwnFeeds.read, list[FeedPage]()

    async def watched(*arguments: Any, **more: Any) -> FeedPage:
        page = await read(*arguments, **more)
        pages.append(page)
        return page

    monkeypatch.setattr(OwnFeeds, "read", watched)
    await nobody_wants_anything(scene)
    await scene.tell("Tidak untuk siapa pun", "81.03")
    owner, place = await scene.reader("81.04"), scene.receiver.place()
    await scene.make(owner, place)
    await scene.tell("Lain", "81.03")
    await scene.tell("Untuknya", "81.04")
    await place.has(1)
    assert place.names == ["Untuknya"]
    seen = {json.loads(item.message.body)["data"].get("name") for page in pages for item in page.items}
    assert "Untuknya" in seen
    assert not seen & {"Tidak untuk siapa pun", "Lain"}


async def test_a_page_that_was_read_for_others_is_read_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    read, begun, go_on = OwnFeeds.read, asyncio.Event(), asyncio.Event()

    async def late(*arguments: Any, **more: Any) -> FeedPage:
        if arguments[3] == NOTHING and more:
            begun.set()
            await go_on.wait()
            more = {}
        return await read(*arguments, **more)

    monkeypatch.setattr(OwnFeeds, "read", late)
    await nobody_wants_anything(scene)
    await asyncio.wait_for(begun.wait(), 20)
    monkeypatch.setattr(Follower, "look_anew", lambda _self: None)
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    await scene.make(owner, place)
    await scene.tell("Di tengah", "81.03")
    go_on.set()
    await place.has(1)
    assert place.names == ["Di tengah"]


async def test_who_is_new_does_not_wait_for_what_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long polls are given up as soon as somebody wants something else than what they wait for."""
    read, waiting = OwnFeeds.read, asyncio.Event()

    async def endless(*arguments: Any, **more: Any) -> FeedPage:
        if arguments[3] == NOTHING and more:
            waiting.set()
            await asyncio.Event().wait()
        return await read(*arguments, **more)

    monkeypatch.setattr(OwnFeeds, "read", endless)
    await nobody_wants_anything(scene)
    await asyncio.wait_for(waiting.wait(), 60)
    await scene.tell("Belum dibaca siapa pun", "81.03")
    owner, place = await scene.reader("81.03"), scene.receiver.place()
    await scene.make(owner, place)
    await scene.tell("Segera", "81.03")
    await place.has(1)
    assert place.names == ["Segera"]


async def nobody_wants_anything(scene: Scene) -> None:
    await scene.sql("UPDATE webhooks SET state = 'ended', reason = 'owner_revoked' WHERE state <> 'ended'")
    await scene.sql("SELECT pg_notify('kkb_webhooks', '')")
