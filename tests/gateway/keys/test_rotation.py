"""Rotating a key: stranger, wrong role, wrong region, invalid, conflict, happy, replay; two secrets at a time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from kit import clock
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.keys.test_keys import WRITTEN, rows

STEPS = ("rotation", "rotation/completion", "rotation/cancel")


def ahead(**span: float) -> str:
    return (clock.now() + timedelta(**span)).isoformat()


async def step(
    running: Running, key: dict[str, Any], name: str = "rotation", by: str | None = None, **body: Any
) -> httpx.Response:
    json = {"old_secret_until": ahead(days=7), **body} if name == "rotation" else None
    return await running.client.post(f"/keys/{key['id']}/{name}", json=json, headers=running.with_key(by))


async def opens(running: Running, key: str) -> str | None:
    """None when the key opens the door, else what is said."""
    answer = await running.client.get("/me", headers=running.with_key(key))
    return None if answer.status_code == 200 else answer.json()["detail"]


@pytest.mark.parametrize("name", STEPS)
class TestNotEverybody:
    async def test_stranger(self, gateway: Running, name: str) -> None:
        answer = await gateway.client.post(f"/keys/{uuid4()}/{name}", json={"old_secret_until": None})
        assert answer.status_code == 401

    async def test_wrong_role(self, gateway: Running, name: str) -> None:
        reader = await gateway.issue("reader")
        assert (await step(gateway, reader, name, by=reader["key"])).status_code == 403

    async def test_wrong_region_looks_like_absent(self, gateway: Running, name: str) -> None:
        regional = await gateway.issue("administrator", region="33.26")
        key = await gateway.issue("reader", region="33.27")
        answer = await step(gateway, key, name, by=regional["key"])
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:kampungkb:problem:key-unknown")

    async def test_conflict_a_revoked_key(self, gateway: Running, name: str) -> None:
        key = await gateway.issue("reader")
        await gateway.client.delete(f"/keys/{key['id']}", headers=gateway.with_key())
        answer = await step(gateway, key, name)
        assert (answer.status_code, answer.json()["detail"]) == (409, "the key is revoked: issue another one")


class TestRotate:
    @pytest.mark.parametrize(
        "until",
        [
            ...,
            "2020-01-01T00:00:00Z",
            "2099-01-01T00:00:00Z",
            "2099-01-01T00:00:00",
            "soon",
            7,
            pytest.param(ahead(days=31), id="in-31-days"),  # named: every process of a parallel run collects the same
        ],
    )
    async def test_invalid(self, gateway: Running, until: Any) -> None:
        key = await gateway.issue("reader")
        body = {} if until is ... else {"old_secret_until": until}
        answer = await gateway.client.post(f"/keys/{key['id']}/rotation", json=body, headers=gateway.with_key())
        assert answer.status_code == 422
        assert "#/old_secret_until" in [error["pointer"] for error in answer.json()["errors"]]
        assert await opens(gateway, key["key"]) is None

    async def test_happy_two_secrets_at_a_time(self, gateway: Running) -> None:
        key = await gateway.issue("officer", region="33.26", allowed_addresses=["127.0.0.1"])
        answer = await step(gateway, key)
        rotated = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert WRITTEN.fullmatch(rotated["key"])
        assert rotated["key"].rpartition("_")[0] == key["key"].rpartition("_")[0]
        assert rotated["key"] != key["key"]
        assert [await opens(gateway, one) for one in (key["key"], rotated["key"])] == [None, None]
        read = (await gateway.client.get(f"/keys/{key['id']}", headers=gateway.with_key())).json()
        assert "key" not in read
        changed = {name for name, value in read.items() if value != key[name]}
        assert changed - {"last_used_at"} == {"rotated_at", "rotated_by", "old_secret_until", "version"}
        stored = await rows(gateway, "SELECT k::text FROM api_keys k WHERE id = :id", id=key["id"])
        assert not [one for one in (key, rotated) if one["key"].rpartition("_")[2] in stored[0][0]]

    async def test_happy_at_once(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        rotated = (await step(gateway, key, old_secret_until=None)).json()
        assert await opens(gateway, key["key"]) == "this key was replaced by one with a new secret"
        assert await opens(gateway, rotated["key"]) is None
        again = (await step(gateway, key, old_secret_until=None)).json()
        assert await opens(gateway, key["key"]) == "the key is not known"
        assert await opens(gateway, again["key"]) is None

    async def test_the_old_one_ends_by_itself(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        rotated = (await step(gateway, key)).json()
        assert await opens(gateway, key["key"]) is None
        soon = clock.now() - timedelta(seconds=1)
        await rows(gateway, "UPDATE api_keys SET old_secret_until = :t WHERE id = :i RETURNING 1", t=soon, i=key["id"])
        gateway.gateway.own.state.keyring.remembered.forget_all()
        assert await opens(gateway, key["key"]) == "this key was replaced by one with a new secret"
        assert await opens(gateway, rotated["key"]) is None
        assert (await step(gateway, key)).status_code == 200

    async def test_replay_makes_no_third_secret(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        answers = await asyncio.gather(*(step(gateway, key) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
        (rotated,) = [answer.json() for answer in answers if answer.status_code == 200]
        assert [await opens(gateway, one) for one in (key["key"], rotated["key"])] == [None, None]

    async def test_an_administrator_can_rotate_his_own_key(self, gateway: Running) -> None:
        own = await gateway.issue("administrator", region="33")
        rotated = (await step(gateway, own, by=own["key"], old_secret_until=None)).json()
        assert await opens(gateway, rotated["key"]) is None


class TestComplete:
    async def test_happy_and_replay(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        rotated = (await step(gateway, key)).json()
        await opens(gateway, key["key"])
        await gateway.gateway.own.state.keyring.write_use()
        done = (await step(gateway, key, "rotation/completion")).json()
        assert done["old_secret_used_at"] == done["rotated_at"], "the hour began before it"
        assert datetime.fromisoformat(done["old_secret_until"]) <= clock.now()
        assert await opens(gateway, key["key"]) == "this key was replaced by one with a new secret"
        assert await opens(gateway, rotated["key"]) is None
        assert (await step(gateway, key, "rotation/completion")).json() == done

    async def test_of_a_key_that_was_never_rotated_changes_nothing(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        assert (await step(gateway, key, "rotation/completion")).json() == {n: key[n] for n in key if n != "key"}
        assert await opens(gateway, key["key"]) is None


class TestCancel:
    async def test_happy_then_conflict(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        lost = (await step(gateway, key)).json()
        assert (await step(gateway, key, "rotation/cancel")).json()["rotated_at"] is None
        assert await opens(gateway, lost["key"]) == "the key is not known"
        assert await opens(gateway, key["key"]) is None
        assert (await step(gateway, key, "rotation/cancel")).status_code == 409
        assert (await step(gateway, key)).status_code == 200

    async def test_conflict_the_old_one_has_ended(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        rotated = (await step(gateway, key, old_secret_until=None)).json()
        assert (await step(gateway, key, "rotation/cancel")).status_code == 409
        assert await opens(gateway, rotated["key"]) is None


async def test_other_processes_hear_of_it(start_gateway: StartGateway) -> None:
    one = await start_gateway()
    other = await start_gateway(database_url=str(one.gateway.own.state.settings.database_url), key_cache_seconds=3600)
    key = await one.issue("reader")

    async def listens() -> bool:
        return bool(other.gateway.own.state.keyring.remembered.listening)

    await eventually(listens)
    assert await opens(other, key["key"]) is None
    rotated = (await step(one, key)).json()

    async def knows_the_new_one() -> bool:
        return await opens(other, rotated["key"]) is None

    await eventually(knows_the_new_one)
    assert await opens(other, key["key"]) is None
    await step(one, key, "rotation/completion")

    async def refuses_the_old_one() -> bool:
        return await opens(other, key["key"]) is not None

    await eventually(refuses_the_old_one)
    await one.client.delete(f"/keys/{key['id']}", headers=one.with_key())

    async def refuses_both() -> bool:
        return await opens(other, rotated["key"]) == "the key has been revoked"

    await eventually(refuses_both)
