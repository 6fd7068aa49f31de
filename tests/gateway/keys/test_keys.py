"""Issuing, listing and revoking keys: stranger, wrong role, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kit import clock
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway

WRITTEN = re.compile("kkb_[0-9a-f]{32}_[0-9a-f]{64}")
DRAFT: dict[str, Any] = {
    "name": "SIGA",
    "owner": "Dinas P3AP2KB",
    "roles": ["reader"],
    "region": "33.26",
    "expires_at": None,
}


async def rows(running: Running, sql: str, **values: Any) -> list[Any]:
    async with running.gateway.own.state.database.transaction() as session:
        return list((await session.execute(sa.text(sql), values)).all())


class TestIssueKey:
    async def test_stranger(self, gateway: Running) -> None:
        answer = await gateway.client.post("/keys", json=DRAFT)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    async def test_wrong_role(self, gateway: Running) -> None:
        officer = await gateway.issue("officer")
        answer = await gateway.client.post("/keys", json=DRAFT, headers=gateway.with_key(officer["key"]))
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")

    @pytest.mark.parametrize("region", [None, "33", "33.27", "33.2"])
    async def test_wrong_region(self, gateway: Running, region: str | None) -> None:
        regional = await gateway.issue("administrator", region="33.26")
        headers = gateway.with_key(regional["key"])
        answer = await gateway.client.post("/keys", json={**DRAFT, "region": region}, headers=headers)
        assert answer.status_code == (422 if region == "33.2" else 403)

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"nama": "x"}, "#/nama"),
            ({"name": " "}, "#/name"),
            ({"owner": None}, "#/owner"),
            ({"roles": []}, "#/roles"),
            ({"roles": ["king"]}, "#/roles/0"),
            ({"roles": ["reader", "reader"]}, "#/roles"),
            ({"region": "11.1"}, "#/region"),
            ({"region": 33.26}, "#/region"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
            ({"expires_at": "2099-01-01T00:00:00"}, "#/expires_at"),
            ({"region": ...}, "#/region"),
            ({"expires_at": ...}, "#/expires_at"),
        ],
    )
    async def test_invalid(self, gateway: Running, change: dict[str, Any], pointer: str) -> None:
        body = {name: value for name, value in {**DRAFT, **change}.items() if value is not ...}
        answer = await gateway.client.post("/keys", json=body, headers=gateway.with_key())
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_conflict_of_an_idempotency_key(self, gateway: Running) -> None:
        headers = {**gateway.with_key(), "Idempotency-Key": "used-for-one"}
        assert (await gateway.client.post("/keys", json=DRAFT, headers=headers)).status_code == 201
        answer = await gateway.client.post("/keys", json={**DRAFT, "name": "another"}, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:kampungkb:problem:idempotency-key-reused"

    async def test_happy(self, gateway: Running) -> None:
        body = {**DRAFT, "roles": ["reporter", "officer"], "region": "3326"}
        answer = await gateway.client.post("/keys", json=body, headers=gateway.with_key())
        issued = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert WRITTEN.fullmatch(issued["key"])
        assert (issued["region"], issued["roles"], issued["status"]) == ("33.26", ["officer", "reporter"], "active")
        me = (await gateway.client.get("/me", headers=gateway.with_key(issued["key"]))).json()
        assert (me["id"], me["region"], me["roles"]) == (issued["id"], "33.26", ["officer", "reporter"])
        read = await gateway.client.get(f"/keys/{issued['id']}", headers=gateway.with_key())
        assert read.json() == {name: value for name, value in issued.items() if name != "key"}

    async def test_only_a_hash_is_kept(self, gateway: Running) -> None:
        headers = {**gateway.with_key(), "Idempotency-Key": "only-a-hash"}
        key = (await gateway.client.post("/keys", json=DRAFT, headers=headers)).json()["key"]
        secret = key.rpartition("_")[2]
        (everything,) = await rows(gateway, "SELECT string_agg(k::text, ' ') FROM api_keys k")
        assert secret not in everything[0]
        assert bytes.fromhex(secret).hex() not in everything[0]

    async def test_replay_of_fifty_at_once_makes_one_key_and_shows_it_once(self, gateway: Running) -> None:
        headers = {**gateway.with_key(), "Idempotency-Key": "fifty-at-once"}
        answers = await asyncio.gather(*(gateway.client.post("/keys", json=DRAFT, headers=headers) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum(answer.json()["key"] is not None for answer in answers) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 49


class TestListKeys:
    async def test_stranger(self, gateway: Running) -> None:
        assert (await gateway.client.get("/keys")).status_code == 401

    async def test_wrong_role(self, gateway: Running) -> None:
        reader = await gateway.issue("reader")
        assert (await gateway.client.get("/keys", headers=gateway.with_key(reader["key"]))).status_code == 403

    async def test_other_regions_are_not_seen(self, gateway: Running) -> None:
        mine = await gateway.issue("administrator", region="64.01")
        inside = await gateway.issue("reader", region="64.01.02")
        outside = await gateway.issue("reader", region="64.02")
        headers = gateway.with_key(mine["key"])
        listed = (await gateway.client.get("/keys", headers=headers)).json()["items"]
        assert [key["id"] for key in listed] == [mine["id"], inside["id"]]
        assert (await gateway.client.get(f"/keys/{outside['id']}", headers=headers)).status_code == 404

    @pytest.mark.parametrize("query", ["?nope=1", "?limit=0", "?limit=201", "?status=lost", "?cursor=abc"])
    async def test_invalid(self, gateway: Running, query: str) -> None:
        assert (await gateway.client.get(f"/keys{query}", headers=gateway.with_key())).status_code == 422

    async def test_happy_pages_and_statuses(self, gateway: Running) -> None:
        admin = await gateway.issue("administrator", region="65")
        made = [(await gateway.issue("reader", region="65.01"))["id"] for _ in range(3)]
        await gateway.client.delete(f"/keys/{made[1]}", headers=gateway.with_key())
        headers = gateway.with_key(admin["key"])
        seen: list[str] = []
        cursor: str | None = None
        while cursor or not seen:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await gateway.client.get("/keys", params=params, headers=headers)).json()
            seen += [key["id"] for key in page["items"]]
            cursor = page["next_cursor"]
        assert seen == [admin["id"], *made]
        for status, expected in (("revoked", [made[1]]), ("active", [admin["id"], made[0], made[2]]), ("expired", [])):
            page = (await gateway.client.get("/keys", params={"status": status}, headers=headers)).json()
            assert [key["id"] for key in page["items"]] == expected


class TestRevokeKey:
    async def test_stranger(self, gateway: Running) -> None:
        assert (await gateway.client.delete(f"/keys/{uuid4()}")).status_code == 401

    async def test_wrong_role(self, gateway: Running) -> None:
        reader = await gateway.issue("reader")
        answer = await gateway.client.delete(f"/keys/{reader['id']}", headers=gateway.with_key(reader["key"]))
        assert answer.status_code == 403

    async def test_wrong_region_looks_like_absent(self, gateway: Running) -> None:
        regional = await gateway.issue("administrator", region="33.26")
        national = await gateway.issue("reader")
        answer = await gateway.client.delete(f"/keys/{national['id']}", headers=gateway.with_key(regional["key"]))
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:kampungkb:problem:key-unknown"

    async def test_invalid(self, gateway: Running) -> None:
        assert (await gateway.client.delete("/keys/not-an-id", headers=gateway.with_key())).status_code == 422

    async def test_conflict_the_last_administrator_stays(self, start_gateway: StartGateway) -> None:
        alone = await start_gateway()
        me = (await alone.client.get("/me", headers=alone.with_key())).json()["id"]
        await alone.issue("administrator", region="33")
        other = await alone.issue("administrator", expires_at=(clock.now() + timedelta(hours=1)).isoformat())
        async with alone.gateway.own.state.database.transaction() as session:
            expired = sa.text("UPDATE api_keys SET expires_at = created_at WHERE id = :id")
            await session.execute(expired, {"id": other["id"]})
        refused = await alone.client.delete(f"/keys/{me}", headers=alone.with_key())
        assert refused.status_code == 409
        second = await alone.issue("administrator")
        assert (await alone.client.delete(f"/keys/{me}", headers=alone.with_key())).status_code == 204
        assert (await alone.client.get("/me", headers=alone.with_key())).status_code == 401
        assert (await alone.client.get("/me", headers=alone.with_key(second["key"]))).status_code == 200

    async def test_two_administrators_cannot_revoke_each_other_at_once(self, start_gateway: StartGateway) -> None:
        pair = await start_gateway()
        first = (await pair.client.get("/me", headers=pair.with_key())).json()["id"]
        second = await pair.issue("administrator")
        answers = await asyncio.gather(
            pair.client.delete(f"/keys/{first}", headers=pair.with_key(second["key"])),
            pair.client.delete(f"/keys/{second['id']}", headers=pair.with_key()),
        )
        assert sorted(answer.status_code for answer in answers) in ([204, 409], [204, 401])

    async def test_happy_at_once(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        headers = gateway.with_key(key["key"])
        assert (await gateway.client.get("/me", headers=headers)).status_code == 200
        assert (await gateway.client.delete(f"/keys/{key['id']}", headers=gateway.with_key())).status_code == 204
        refused = await gateway.client.get("/me", headers=headers)
        assert (refused.status_code, refused.json()["detail"]) == (401, "the key has been revoked")

    async def test_happy_in_another_process_too(self, start_gateway: StartGateway) -> None:
        one = await start_gateway()
        other = await start_gateway(
            database_url=str(one.gateway.own.state.settings.database_url), key_cache_seconds=3600
        )
        key = await one.issue("reader")
        headers = one.with_key(key["key"])
        await eventually(lambda: _listens(other))
        assert (await other.client.get("/me", headers=headers)).status_code == 200
        await one.client.delete(f"/keys/{key['id']}", headers=one.with_key())

        async def refused() -> bool:
            return (await other.client.get("/me", headers=headers)).status_code == 401

        await eventually(refused)

    async def test_replay_keeps_the_first_revocation(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        url = f"/keys/{key['id']}"
        assert (await gateway.client.delete(url, headers=gateway.with_key())).status_code == 204
        first = (await gateway.client.get(url, headers=gateway.with_key())).json()
        assert (await gateway.client.delete(url, headers=gateway.with_key())).status_code == 204
        again = (await gateway.client.get(url, headers=gateway.with_key())).json()
        assert first == again
        assert first["status"] == "revoked"


async def test_a_key_is_not_waited_for_longer_than_a_request(start_gateway: StartGateway) -> None:
    slow = await start_gateway(request_seconds=0.5)
    key = await slow.issue("reader")
    database = slow.gateway.own.state.database
    async with database.transaction() as session:
        await session.execute(sa.text("LOCK TABLE api_keys"))
        answer = await slow.client.get("/me", headers=slow.with_key(key["key"]), timeout=10)
        assert (answer.status_code, answer.json()["detail"]) == (503, "the database does not answer")
    assert (await slow.client.get("/me", headers=slow.with_key(key["key"]))).status_code == 200


async def _listens(running: Running) -> bool:
    return running.gateway.own.state.keyring.remembered.listening
