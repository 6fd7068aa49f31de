"""A key's holder rotates it: stranger, wrong kind of caller, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.keys import actions
from gateway.keys.rules import Presented, parse
from gateway.keys.schemas import OwnRotationIn
from gateway.metrics import KEY_ROTATIONS
from kit import clock
from kit.problems import Unauthenticated
from tests.gateway.conftest import Running
from tests.gateway.keys.test_keys import WRITTEN, rows
from tests.gateway.people import signed_in
from tests.gateway.tokens.test_tokens import token

URL = "/me/rotation"
REPLACED = "this key was replaced by one with a new secret"


async def rotate(running: Running, key: str, hours: Any = 24, **headers: str) -> httpx.Response:
    sent = {**running.with_key(key), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await running.client.post(URL, json={"overlap_hours": hours}, headers=sent)


async def me(running: Running, key: str) -> dict[str, Any]:
    answer = await running.client.get("/me", headers=running.with_key(key))
    return dict(answer.json())


async def reader(running: Running, **fields: Any) -> dict[str, Any]:
    return await running.issue("reader", region="82.01", **fields)


def presented(key: str) -> Presented:
    found = parse(key)
    assert found is not None
    return found


class TestRotateMyKey:
    async def test_stranger(self, gateway: Running) -> None:
        assert (await gateway.client.post(URL, json={"overlap_hours": 0})).status_code == 401
        assert (await rotate(gateway, f"kkb_{uuid4().hex}_{'0' * 64}")).status_code == 401

    async def test_a_token_of_the_key_is_not_the_key(self, office: Running) -> None:
        key = await reader(office)
        answer = await rotate(office, await token(office, key))
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:key-needed")
        assert (await me(office, key["key"]))["key"]["rotated_at"] is None

    async def test_a_session_is_no_key(self, office: Running) -> None:
        somebody = await signed_in(office)
        answer = await office.client.post(URL, json={"overlap_hours": 0}, headers=somebody.headers())
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:key-needed")

    async def test_from_a_wrong_address(self, gateway: Running) -> None:
        key = await reader(gateway, allowed_addresses=["192.0.2.0/24"])
        answer = await rotate(gateway, key["key"])
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:address-forbidden")

    @pytest.mark.parametrize("hours", [-1, 169, 1.5, None, "soon"])
    async def test_invalid(self, gateway: Running, hours: Any) -> None:
        key = await reader(gateway)
        answer = await rotate(gateway, key["key"], hours)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/overlap_hours")
        assert (await me(gateway, key["key"]))["key"]["rotated_at"] is None

    async def test_invalid_more_than_is_asked_for(self, gateway: Running) -> None:
        key = await reader(gateway)
        for body in ({}, {"overlap_hours": 1, "expires_at": None}, {"overlap_hours": 1, "id": str(uuid4())}):
            answer = await gateway.client.post(URL, json=body, headers=gateway.with_key(key["key"]))
            assert answer.status_code == 422

    async def test_conflict_while_two_secrets_are_good_whichever_is_shown(self, gateway: Running) -> None:
        key = await reader(gateway)
        new = (await rotate(gateway, key["key"])).json()["key"]
        for shown in (key["key"], new):
            answer = await rotate(gateway, shown, 0)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:kampungkb:problem:conflict")
            assert "old_secret_until" in answer.json()
        assert [(await me(gateway, one))["id"] for one in (key["key"], new)] == [key["id"]] * 2

    async def test_at_the_same_moment_only_one_is_made(self, gateway: Running) -> None:
        key = await reader(gateway)
        answers = await asyncio.gather(*(rotate(gateway, key["key"]) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]

    async def test_happy_only_the_secret_changes(self, gateway: Running) -> None:
        ends = (clock.now() + timedelta(days=3)).isoformat()
        key = await gateway.issue("officer", region="82.01", allowed_addresses=["127.0.0.1"], expires_at=ends)
        counted = KEY_ROTATIONS.labels("holder")._value.get()
        before = clock.now()
        answer = await rotate(gateway, key["key"], 168)
        rotated = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert WRITTEN.fullmatch(rotated["key"])
        assert rotated["key"].rpartition("_")[0] == key["key"].rpartition("_")[0]
        until = datetime.fromisoformat(rotated["old_secret_until"])
        assert before <= until - timedelta(days=7) <= clock.now()
        assert (rotated["id"], rotated["expires_at"]) == (key["id"], key["expires_at"])
        assert KEY_ROTATIONS.labels("holder")._value.get() == counted + 1
        seen = (await gateway.client.get(f"/keys/{key['id']}", headers=gateway.with_key())).json()
        changed = {name for name, value in seen.items() if value != key[name]} - {"last_used_at"}
        assert changed == {"rotated_at", "rotated_by", "old_secret_until", "version"}
        assert seen["rotated_by"] == key["id"]
        stored = await rows(gateway, "SELECT k::text FROM api_keys k WHERE id = :id", id=UUID(key["id"]))
        assert rotated["key"].rpartition("_")[2] not in stored[0][0]

    async def test_happy_each_secret_knows_which_it_is(self, gateway: Running) -> None:
        key = await reader(gateway, expires_at="2999-12-31T00:00:00Z")
        new = (await rotate(gateway, key["key"])).json()
        old_one, new_one = await me(gateway, key["key"]), await me(gateway, new["key"])
        assert (old_one["key"]["superseded"], new_one["key"]["superseded"]) == (True, False)
        assert old_one["expires_at"] == new["old_secret_until"]
        assert new_one["expires_at"] == "2999-12-31T00:00:00Z"
        assert new_one["key"]["rotated_by"] == key["id"]

    async def test_happy_at_once_ends_its_tokens_too(self, office: Running) -> None:
        key = await reader(office)
        asked_before = await token(office, key)
        new = (await rotate(office, key["key"], 0)).json()["key"]
        refused = [await me(office, one) for one in (key["key"], asked_before)]
        assert [one["status"] for one in refused] == [401, 401]
        assert refused[0]["detail"] == REPLACED
        assert (await rotate(office, new, 0)).status_code == 200

    async def test_an_administrator_takes_it_back(self, gateway: Running) -> None:
        key = await reader(gateway)
        new = (await rotate(gateway, key["key"], Idempotency_Key="back-82-01")).json()["key"]
        cancelled = await gateway.client.post(f"/keys/{key['id']}/rotation/cancel", headers=gateway.with_key())
        assert (cancelled.json()["rotated_by"], (await me(gateway, new))["status"]) == (None, 401)
        anew = await rotate(gateway, key["key"], Idempotency_Key="back-82-01")
        assert WRITTEN.fullmatch(anew.json()["key"]), "the one before is gone: this is no replay"

    async def test_replay_shows_no_secret_and_makes_none(self, gateway: Running) -> None:
        key = await reader(gateway)
        first = await rotate(gateway, key["key"], Idempotency_Key="again-82-01")
        for shown in (key["key"], first.json()["key"]):
            again = await rotate(gateway, shown, Idempotency_Key="again-82-01")
            assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
            assert again.json() == {**first.json(), "key": None}
        other = await rotate(gateway, key["key"], 1, Idempotency_Key="again-82-01")
        assert (other.status_code, other.json()["type"]) == (422, "urn:kampungkb:problem:idempotency-key-reused")
        assert (await me(gateway, first.json()["key"]))["id"] == key["id"]

    async def test_another_key_may_use_the_same_idempotency_key(self, gateway: Running) -> None:
        for key in (await reader(gateway), await reader(gateway)):
            answer = await rotate(gateway, key["key"], Idempotency_Key="same-82-01")
            assert WRITTEN.fullmatch(answer.json()["key"])


@pytest.mark.parametrize(
    "ended", ["secret_hash = sha256('x')", "revoked_at = now(), revoked_by = 'x'", "expires_at = now()"]
)
async def test_what_another_process_ended_a_moment_ago_rotates_nothing(gateway: Running, ended: str) -> None:
    """The door may have let it in by what it remembers; the row says otherwise."""
    key = await reader(gateway)
    await rows(gateway, f"UPDATE api_keys SET {ended} WHERE id = :id RETURNING 1", id=UUID(key["id"]))
    async with gateway.gateway.own.state.database.transaction() as session:
        with pytest.raises(Unauthenticated):
            await actions.rotate_own_key(
                session, presented(key["key"]), "127.0.0.1", OwnRotationIn(overlap_hours=0), None
            )


async def test_how_long_everybody_is_good(office: Running) -> None:
    key = await reader(office)
    assert (await me(office, key["key"]))["expires_at"] is None
    short = await me(office, await token(office, key))
    assert timedelta() < datetime.fromisoformat(short["expires_at"]) - clock.now() <= timedelta(minutes=15)
    assert short["key"] is None
    somebody = await signed_in(office)
    session = (await somebody.me()).json()
    assert timedelta() < datetime.fromisoformat(session["expires_at"]) - clock.now() <= timedelta(hours=12)
