"""The operations on webhooks: stranger, wrong role, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gateway.webhooks import actions
from tests.gateway.conftest import Running

DRAFT: dict[str, Any] = {"name": "SIGA", "url": "https://siga.example/kkb", "types": ["village-registered"]}


async def headers_of(gateway: Running, role: str = "reader", region: str | None = "81.05") -> dict[str, str]:
    return gateway.with_key((await gateway.issue(role, region=region))["key"])


async def made(gateway: Running, headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    answer = await gateway.client.post("/webhooks", json={**DRAFT, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestCreateWebhook:
    async def test_stranger(self, gateway: Running) -> None:
        assert (await gateway.client.post("/webhooks", json=DRAFT)).status_code == 401

    async def test_wrong_role(self, gateway: Running) -> None:
        headers = await headers_of(gateway, "operator")
        assert (await gateway.client.post("/webhooks", json=DRAFT, headers=headers)).status_code == 403

    async def test_wrong_region(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        for region in ("81", "81.06", "33"):
            answer = await gateway.client.post("/webhooks", json={**DRAFT, "region": region}, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"nama": "x"}, "#/nama"),
            ({"name": " "}, "#/name"),
            ({"types": []}, "#/types"),
            ({"types": ["village-registered", "village-registered"]}, "#/types"),
            ({"types": ["village-painted"]}, "#/types/0"),
            ({"since": {"registry": "abc"}}, "#/since/registry"),
            ({"since": {"moon": "abc"}}, "#/since/moon/[key]"),
            ({"url": "http://siga.example/"}, "#/url"),
            ({"url": "https://siga.example:22/"}, "#/url"),
            ({"url": "https://u:p@siga.example/"}, "#/url"),
            ({"url": "https://127.0.0.1/"}, "#/url"),
        ],
    )
    async def test_invalid(self, gateway: Running, change: dict[str, Any], pointer: str) -> None:
        answer = await gateway.client.post("/webhooks", json={**DRAFT, **change}, headers=gateway.with_key())
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_conflict(self, gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        headers = await headers_of(gateway)
        once = {**headers, "Idempotency-Key": "used-for-one-webhook"}
        assert (await gateway.client.post("/webhooks", json=DRAFT, headers=once)).status_code == 201
        reused = await gateway.client.post("/webhooks", json={**DRAFT, "name": "x"}, headers=once)
        assert (reused.status_code, reused.json()["type"]) == (422, "urn:kampungkb:problem:idempotency-key-reused")
        monkeypatch.setattr(actions, "MOST_EACH", 1)
        assert (await gateway.client.post("/webhooks", json=DRAFT, headers=headers)).status_code == 409

    async def test_happy(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        answer = await gateway.client.post("/webhooks", json={**DRAFT, "region": "810501"}, headers=headers)
        webhook = answer.json()
        assert (answer.status_code, answer.headers["cache-control"], answer.headers["etag"]) == (201, "no-store", '"1"')
        assert answer.headers["location"] == f"/api/v1/webhooks/{webhook['id']}"
        assert webhook["secret"].startswith("whsec_")
        assert (webhook["region"], webhook["state"], webhook["reason"], webhook["failures"]) == (
            "81.05.01",
            "active",
            None,
            0,
        )
        read = await gateway.client.get(f"/webhooks/{webhook['id']}", headers=headers)
        assert read.json() == {name: value for name, value in webhook.items() if name != "secret"}
        assert (await made(gateway, headers))["region"] == "81.05"

    async def test_replay_makes_one_and_shows_its_secret_once(self, gateway: Running) -> None:
        headers = {**await headers_of(gateway), "Idempotency-Key": "several-at-once"}
        answers = await asyncio.gather(
            *(gateway.client.post("/webhooks", json=DRAFT, headers=headers) for _ in range(8))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum(answer.json()["secret"] is not None for answer in answers) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 7


class TestReading:
    async def test_stranger(self, gateway: Running) -> None:
        for path in ("", f"/{uuid4()}", f"/{uuid4()}/deliveries", f"/{uuid4()}/deliveries/1"):
            assert (await gateway.client.get(f"/webhooks{path}")).status_code == 401

    async def test_others_are_not_seen_but_by_administrators_of_the_region(self, gateway: Running) -> None:
        mine, theirs = await headers_of(gateway), await headers_of(gateway)
        webhook = await made(gateway, mine)
        url = f"/webhooks/{webhook['id']}"
        assert (await gateway.client.get(url, headers=mine)).status_code == 200
        for headers in (theirs, await headers_of(gateway, "administrator", "81.06")):
            answer = await gateway.client.get(url, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:webhook-unknown")
            assert (await gateway.client.get("/webhooks", headers=headers)).json()["items"] == []
            assert (await gateway.client.get(f"{url}/deliveries", headers=headers)).status_code == 404
        administrator = await headers_of(gateway, "administrator", "81")
        assert (await gateway.client.get(url, headers=administrator)).status_code == 200
        found = (await gateway.client.get("/webhooks?limit=200", headers=administrator)).json()["items"]
        assert webhook["id"] in [one["id"] for one in found]
        assert all("secret" not in one for one in found)

    @pytest.mark.parametrize(
        "path",
        ["?nope=1", "?limit=0", "?state=lost", "?cursor=abc", "/x", "/{id}/deliveries?state=x", "/{id}/deliveries/0"],
    )
    async def test_invalid(self, gateway: Running, path: str) -> None:
        headers = await headers_of(gateway)
        url = f"/webhooks{path}"
        if "{id}" in path:
            url = url.format(id=(await made(gateway, headers))["id"])
        assert (await gateway.client.get(url, headers=headers)).status_code == 422

    async def test_happy_pages_and_states(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        ids = [(await made(gateway, headers))["id"] for _ in range(3)]
        await gateway.client.post(f"/webhooks/{ids[1]}/pause", headers=headers)
        first = (await gateway.client.get("/webhooks?limit=2", headers=headers)).json()
        query = {"limit": 2, "cursor": first["next_cursor"]}
        second = (await gateway.client.get("/webhooks", params=query, headers=headers)).json()
        assert [one["id"] for one in first["items"] + second["items"]] == ids
        assert second["next_cursor"] is None
        paused = (await gateway.client.get("/webhooks?state=paused", headers=headers)).json()["items"]
        assert [(one["id"], one["reason"]) for one in paused] == [(ids[1], "asked")]

    async def test_a_delivery_that_is_not_there(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        webhook = await made(gateway, headers)
        for method, path in (("GET", "deliveries/99999999"), ("POST", "deliveries/99999999/redelivery")):
            answer = await gateway.client.request(method, f"/webhooks/{webhook['id']}/{path}", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:delivery-unknown")


class TestChanging:
    async def test_stranger(self, gateway: Running) -> None:
        url = f"/webhooks/{uuid4()}"
        for path in ("pause", "resumption", "rotation", "ping", "redelivery", "deliveries/1/redelivery"):
            assert (await gateway.client.post(f"{url}/{path}")).status_code == 401
        assert (await gateway.client.patch(url, json={})).status_code == 401
        assert (await gateway.client.delete(url)).status_code == 401

    async def test_an_administrator_may_pause_and_delete_and_nothing_else(self, gateway: Running) -> None:
        owner, administrator = await headers_of(gateway), await headers_of(gateway, "administrator", "81.05")
        webhook = await made(gateway, owner)
        url = f"/webhooks/{webhook['id']}"
        span = {"start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
        for path, body in (
            ("resumption", {"missed": "skip"}),
            ("rotation", {}),
            ("ping", None),
            ("redelivery", span),
            ("deliveries/1/redelivery", None),
        ):
            answer = await gateway.client.post(f"{url}/{path}", json=body, headers={**administrator, "If-Match": '"1"'})
            assert answer.status_code == 403, path
        patched = await gateway.client.patch(
            url, json={"url": "https://elsewhere.example/"}, headers={**administrator, "If-Match": '"1"'}
        )
        assert patched.status_code == 403
        assert (await gateway.client.post(f"{url}/pause", headers=administrator)).json()["reason"] == "asked"
        assert (await gateway.client.delete(url, headers=administrator)).status_code == 204
        assert (await gateway.client.get(url, headers=owner)).status_code == 404

    async def test_wrong_region(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        url = f"/webhooks/{(await made(gateway, headers))['id']}"
        answer = await gateway.client.patch(url, json={"region": "81"}, headers={**headers, "If-Match": '"1"'})
        assert answer.status_code == 403

    async def test_invalid(self, gateway: Running) -> None:
        headers = {**await headers_of(gateway), "If-Match": '"1"'}
        url = f"/webhooks/{(await made(gateway, headers))['id']}"
        for body, pointer in (({"url": None}, "#/url"), ({"url": "https://10.0.0.1/"}, "#/url"), ({"x": 1}, "#/x")):
            answer = await gateway.client.patch(url, json=body, headers=headers)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        for path, body in (
            ("resumption", {}),
            ("resumption", {"missed": "x"}),
            ("rotation", {"overlap_hours": 1000}),
            ("redelivery", {"start": "2020-01-01T00:00:00", "end": "2020-01-01T00:00:00"}),
        ):
            assert (await gateway.client.post(f"{url}/{path}", json=body, headers=headers)).status_code == 422

    async def test_conflict_of_versions(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        url = f"/webhooks/{(await made(gateway, headers))['id']}"
        assert (await gateway.client.patch(url, json={"name": "x"}, headers=headers)).status_code == 428
        stale = {**headers, "If-Match": '"7"'}
        assert (await gateway.client.patch(url, json={"name": "x"}, headers=stale)).status_code == 412
        assert (await gateway.client.post(f"{url}/rotation", json={}, headers=headers)).status_code == 428

    async def test_conflict_with_one_that_has_ended(self, gateway: Running) -> None:
        key = await gateway.issue("reader", region="81.05")
        webhook = await made(gateway, gateway.with_key(key["key"]))
        database = gateway.gateway.own.state.database
        async with database.transaction() as session:
            await session.execute(
                sa.text("UPDATE webhooks SET state = 'ended', reason = 'owner_revoked' WHERE id = :id"),
                {"id": webhook["id"]},
            )
        headers = {**gateway.with_key(key["key"]), "If-Match": '"1"'}
        url = f"/webhooks/{webhook['id']}"
        for path, body in (("pause", None), ("resumption", {"missed": "skip"}), ("rotation", {}), ("ping", None)):
            assert (await gateway.client.post(f"{url}/{path}", json=body, headers=headers)).status_code == 409

    async def test_happy_and_replay(self, gateway: Running) -> None:
        headers = await headers_of(gateway)
        url = f"/webhooks/{(await made(gateway, headers))['id']}"
        change = {"name": "Baru", "types": None, "region": "81.05.02"}
        changed = await gateway.client.patch(url, json=change, headers={**headers, "If-Match": '"1"'})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        assert {name: changed.json()[name] for name in change} == change
        assert changed.json()["url"] == DRAFT["url"]
        for path, body, state in (("pause", None, "paused"), ("resumption", {"missed": "deliver"}, "active")):
            first = await gateway.client.post(f"{url}/{path}", json=body, headers=headers)
            again = await gateway.client.post(f"{url}/{path}", json=body, headers=headers)
            assert (first.json()["state"], again.json()) == (state, first.json())
        assert (await gateway.client.delete(url, headers=headers)).status_code == 204
        assert (await gateway.client.delete(url, headers=headers)).status_code == 404
