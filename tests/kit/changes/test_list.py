"""GET /changes/{service}: who may, what is refused, what is answered."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import BY_TYPE, EVENTS, decode
from contracts.events.base import Event
from kit.changes import cursor
from kit.changes.cursor import Place
from kit.changes.types import short_name, types_by_name, types_of
from kit.ids import uuid7
from kit.outbox import publish, wire
from tests.callers import STRANGER, caller
from tests.kit.changes.conftest import Feed, changed, event, ids

CHANGED = "id.kampungkb.registry.village-changed.v1"


class TestListChanges:
    async def test_stranger(self, feed: Feed) -> None:
        assert (await feed.get(as_=STRANGER)).status_code == 401

    async def test_every_role_that_reads_may_and_the_operator(self, feed: Feed) -> None:
        for role in ("reader", "reporter", "officer", "partner", "assessor", "administrator", "operator"):
            assert (await feed.get(as_=caller(role))).status_code == 200

    async def test_wrong_region(self, feed: Feed) -> None:
        answer = await feed.get(as_=caller("reader", region="33.27"), region="33.26")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")

    async def test_without_a_region_the_callers_own(self, feed: Feed) -> None:
        since = await feed.head()
        here, there, beside = event(at="33.27.01.2001"), event(at="33.26.01.2001"), event(at="33.28.01.2001")
        await feed.commit(here, there, beside)
        await feed.head()
        answer = await feed.get(as_=caller("reader", region="33.27"), since=since)
        assert ids(answer.json()) == [str(here.id)]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"limit": 0}, "query:limit"),
            ({"limit": 501}, "query:limit"),
            ({"wait": 25.1}, "query:wait"),
            ({"wait": -1}, "query:wait"),
            ({"wait": "nan"}, "query:wait"),
            ({"type": "village-classified"}, "query:type/0"),
            ({"type": ["village-changed", "x"]}, "query:type/1"),
            ({"region": "3326xx"}, "query:region"),
            ({"since": "x"}, "query:since"),
            ({"since": ""}, "query:since"),
            ({"cursor": "x"}, "query:cursor"),
        ],
    )
    async def test_invalid(self, feed: Feed, query: dict[str, object], pointer: str) -> None:
        answer = await feed.get(**query)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    @pytest.mark.parametrize("position", [-1, 2**63, 2**80])
    async def test_invalid_position(self, feed: Feed, position: int) -> None:
        answer = await feed.get(since=cursor.write("registry", Place(uuid7(), position)))
        assert answer.status_code == 422

    async def test_a_cursor_of_another_service(self, feed: Feed) -> None:
        answer = await feed.get(since=cursor.write("scoring", Place(uuid7(), 0)))
        assert answer.status_code == 422
        assert "feed of scoring" in answer.json()["detail"]

    async def test_conflict_with_a_feed_that_began_anew(self, feed: Feed) -> None:
        answer = await feed.get(since=cursor.write("registry", Place(uuid7(), 0)))
        assert (answer.status_code, answer.json()["type"]) == (410, "urn:kampungkb:problem:feed-reset")
        assert "start again without `since`" in answer.json()["detail"]

    async def test_conflict_with_a_database_that_was_set_back(self, feed: Feed) -> None:
        place = cursor.read("registry", await feed.head())
        assert place is not None
        beyond = cursor.write("registry", Place(place.feed, place.position + 1))
        assert (await feed.get(since=beyond)).status_code == 410
        assert (await feed.get(since=cursor.write("registry", place))).status_code == 200

    async def test_events_are_sent_as_they_go_over_the_bus(self, feed: Feed) -> None:
        since = await feed.head()
        one = event()
        await feed.commit(one)
        answer = await feed.get(since=since, wait=5)
        (item,) = answer.json()["items"]
        assert wire(one) in answer.content
        assert decode(json.dumps(item["event"]).encode()) == one
        assert item["entity"] == f"village/{one.data.village.id}"
        assert item["tombstone"] is False
        assert answer.headers["content-type"] == "application/json"

    async def test_page_after_page_in_order_and_nothing_twice(self, feed: Feed) -> None:
        since = await feed.head()
        events = [event() for _ in range(7)]
        await feed.commit(*events)
        end = await feed.head()
        pages = []
        while since != end:
            pages.append(await feed.page(since=since, limit=3))
            since = pages[-1]["next_since"]
        assert [len(page["items"]) for page in pages] == [3, 3, 2]
        assert [page["more"] for page in pages] == [True, True, False]
        positions = [item["position"] for page in pages for item in page["items"]]
        assert positions == sorted(set(positions))
        assert [one for page in pages for one in ids(page)][:-1] == [str(one.id) for one in events]

    async def test_from_the_beginning_everything(self, feed: Feed) -> None:
        one = event()
        await feed.commit(one)
        await feed.head()
        found, since = [], None
        while True:
            page = await feed.page(limit=500, **({"since": since} if since else {}))
            found += ids(page)
            since = page["next_since"]
            if not page["more"]:
                break
        assert str(one.id) in found

    async def test_what_the_filter_leaves_out_is_left_behind(self, feed: Feed) -> None:
        since = await feed.head()
        await feed.commit(*(event() for _ in range(5)))
        end = await feed.head()
        page = await feed.page(since=since, region="91")
        assert page == {"items": [], "next_since": end, "more": False}

    async def test_by_type_short_or_long_once_or_more_often(self, feed: Feed) -> None:
        since = await feed.head()
        new, change = event(), changed(uuid7(), 2)
        await feed.commit(new, change)
        await feed.head()
        for asked in ("village-changed", CHANGED, ["village-changed", CHANGED]):
            assert ids(await feed.page(since=since, type=asked)) == [str(change.id)]
        both = await feed.page(since=since, type=["village-registered", "village-changed"])
        assert ids(both)[:2] == [str(new.id), str(change.id)]

    async def test_by_region_and_type(self, feed: Feed) -> None:
        since = await feed.head()
        wanted = changed(uuid7(), 2, at="91.01.01.2001")
        await feed.commit(event(at="91.01.01.2001"), wanted, changed(uuid7(), 2))
        await feed.head()
        assert ids(await feed.page(since=since, region="91.01", type="village-changed")) == [str(wanted.id)]

    async def test_what_was_superseded_and_cleaned_away_leaves_a_gap_that_nobody_notices(self, feed: Feed) -> None:
        since = await feed.head()
        village = uuid7()
        old, middle, new = event(village=village), changed(village, 2), changed(village, 3)
        for one in (old, middle, new):
            await feed.commit(one)
        await feed.head()
        await feed.run("DELETE FROM outbox WHERE event_id = ANY(:ids)", ids=[old.id, middle.id])
        page = await feed.page(since=since)
        assert ids(page)[:1] == [str(new.id)]

    async def test_what_is_not_committed_is_not_there(self, feed: Feed) -> None:
        since = await feed.head()
        async with AsyncSession(feed.database.engine) as session:
            await publish(session, [event()])
            assert ids(await feed.page(since=since, wait=0.2)) == []
            await session.rollback()
        assert ids(await feed.page(since=since, wait=0.2)) == []

    async def test_replay(self, feed: Feed) -> None:
        since = await feed.head()
        await feed.commit(event(), event())
        await feed.head()
        first, again = await feed.get(since=since), await feed.get(since=since)
        assert first.content == again.content


class TestTypes:
    def test_every_event_of_the_platform_belongs_to_one_feed(self) -> None:
        names = [kind for service in ("registry", "interventions", "scoring") for kind in types_of(service)]
        assert sorted(names) == sorted(BY_TYPE)
        assert types_of("gateway") == {}

    def test_a_short_name_stands_for_all_versions(self) -> None:
        assert short_name(CHANGED) == "village-changed"
        assert short_name("id.kampungkb.registry.village-changed.v12") == "village-changed"
        assert types_by_name("registry")["village-changed"] == {CHANGED}
        assert types_by_name("registry")[CHANGED] == {CHANGED}


def test_a_cursor_says_where_it_belongs() -> None:
    place = Place(UUID(int=5), 7)
    assert cursor.read("registry", cursor.write("registry", place)) == place
    assert cursor.read("registry", None) is None


def test_only_what_was_withdrawn_is_a_tombstone() -> None:
    tombstones: list[type[Event]] = [kind for kind in EVENTS if kind.tombstone]
    assert [kind.__name__ for kind in tombstones] == ["InterventionWithdrawn"]
