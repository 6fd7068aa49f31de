"""GET /changes: which feeds there are."""

from __future__ import annotations

from contracts.events import BY_TYPE
from gateway.contract import SERVICES, committed
from gateway.proxy.routing import RoutingTable
from tests.gateway.conftest import Running


class TestListFeeds:
    async def test_stranger(self, gateway: Running) -> None:
        assert (await gateway.client.get("/changes")).status_code == 401

    async def test_a_key_of_any_region(self, gateway: Running) -> None:
        key = (await gateway.issue("reader", region="33.26"))["key"]
        assert (await gateway.client.get("/changes", headers=gateway.with_key(key))).status_code == 200

    async def test_invalid(self, gateway: Running) -> None:
        answer = await gateway.client.get("/changes", params={"region": "33"}, headers=gateway.with_key())
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query:region")

    async def test_feeds_with_addresses_that_are_there(self, gateway: Running) -> None:
        answer = await gateway.client.get("/changes", headers=gateway.with_key())
        feeds = answer.json()["items"]
        assert [feed["service"] for feed in feeds] == list(SERVICES)
        table = RoutingTable()
        for service, document in committed().items():
            table.add_document(service, document)
        for feed in feeds:
            operation = table.find("GET", feed["changes"])
            assert (operation.service, operation.waits) == (feed["service"], True)
            assert table.find("GET", feed["checksums"]).service == feed["service"]

    async def test_every_event_with_what_it_is_about(self, gateway: Running) -> None:
        answer = await gateway.client.get("/changes", headers=gateway.with_key())
        events = [event for feed in answer.json()["items"] for event in feed["events"]]
        assert [event["type"] for event in events] == list(BY_TYPE)
        assert {event["name"] for event in events if event["tombstone"]} == {"intervention-withdrawn"}
        assert all(event["about"] for event in events)
