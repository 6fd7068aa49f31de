"""What opens the door, what does not, and what the services behind it get to see."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.identity_keys import IdentityKeys
from gateway.identities import Identities, Minted
from gateway.keys import rules
from kit import clock
from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import key_id, load_private_key, mint
from kit.logs import JsonFormatter
from tests.callers import SIGNING_KEY
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.keys.test_keys import rows

ADMIN = Principal(id="forged", name="forged", grants=(Grant(Role.ADMINISTRATOR, None),))


class TestOpening:
    @pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}"])
    async def test_bearer(self, gateway: Running, form: str) -> None:
        answer = await gateway.client.get("/me", headers={"Authorization": form.format(gateway.admin_key)})
        assert answer.status_code == 200

    async def test_x_api_key_alone_or_as_well(self, gateway: Running) -> None:
        header = {"X-API-Key": gateway.admin_key}
        assert (await gateway.client.get("/me", headers=header)).status_code == 200
        assert (await gateway.client.get("/me", headers={**header, **gateway.with_key()})).status_code == 200

    async def test_me_says_what_the_key_is_good_for(self, gateway: Running) -> None:
        key = await gateway.issue("operator", region="76", name="Pemantau")
        me = (await gateway.client.get("/me", headers=gateway.with_key(key["key"]))).json()
        assert me == {
            "id": key["id"],
            "name": "Pemantau",
            "credential": "key",
            "roles": ["operator"],
            "scopes": ["changes:read", "events:operate", "self:read", "self:write"],
            "region": "76",
            "grants": [{"role": "operator", "region": "76"}],
            "expires_at": None,
            "key": {
                "superseded": False,
                "expires_at": None,
                "rotated_at": None,
                "rotated_by": None,
                "old_secret_until": None,
            },
        }


class TestNotOpening:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer kkb_"},
            {"Authorization": "Bearer kkb_abc_def"},
            {"Authorization": "Basic a2tiOmtrYg=="},
            {"X-API-Key": "kkb_" + "0" * 32 + "_" + "0" * 64},
            {"X-API-Key": "ünicode"},
        ],
    )
    async def test_what_is_no_key(self, gateway: Running, headers: dict[str, str]) -> None:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await gateway.client.get("/me", headers=encoded)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert "www-authenticate" in answer.headers

    async def test_wrong_secret(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        last = "0" if key["key"][-1] != "0" else "1"
        for wrong in (key["key"][:-1] + last, key["key"].upper(), key["key"] + "0"):
            assert (await gateway.client.get("/me", headers=gateway.with_key(wrong))).status_code == 401

    async def test_unknown_id_with_a_good_secret(self, gateway: Running) -> None:
        secret = gateway.admin_key.rpartition("_")[2]
        wrong = rules.written(uuid4(), secret)
        assert (await gateway.client.get("/me", headers=gateway.with_key(wrong))).status_code == 401

    async def test_two_different_keys(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        headers = {**gateway.with_key(), "X-API-Key": key["key"]}
        assert (await gateway.client.get("/me", headers=headers)).status_code == 401

    async def test_expired(self, gateway: Running) -> None:
        soon = clock.now() + timedelta(seconds=1)
        key = await gateway.issue("reader", expires_at=soon.isoformat())
        assert (await gateway.client.get("/me", headers=gateway.with_key(key["key"]))).status_code == 200

        async def refused() -> str | None:
            answer = await gateway.client.get("/me", headers=gateway.with_key(key["key"]))
            return answer.json()["detail"] if answer.status_code == 401 else None

        assert await eventually(refused) == "the key has expired"

    async def test_database_away(self, start_gateway: StartGateway) -> None:
        away = await start_gateway(database_url="postgresql+asyncpg://kkb:kkb@127.0.0.1:9/kkb", ready=False)
        key = rules.written(uuid4(), "0" * 64)
        answer = await away.client.get("/me", headers=away.with_key(key))
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "retry-after" in answer.headers


class TestIdentity:
    @pytest.mark.parametrize("key", [SIGNING_KEY, Ed25519PrivateKey.generate()], ids=["stolen", "forged"])
    async def test_a_client_cannot_bring_its_own(self, gateway: Running, key: Ed25519PrivateKey) -> None:
        header = {IDENTITY_HEADER: mint(ADMIN, key, "gateway")}
        assert (await gateway.client.get("/me", headers=header)).status_code == 401
        reader = await gateway.issue("reader", region="33")
        mine = {**header, **gateway.with_key(reader["key"])}
        assert (await gateway.client.get("/me", headers=mine)).json()["id"] == reader["id"]
        assert (await gateway.client.get("/keys", headers=mine)).status_code == 403

    async def test_it_is_made_new_before_it_is_old(self, gateway: Running) -> None:
        state = gateway.gateway.own.state
        known, identities = await state.keyring.check(gateway.admin_key, "127.0.0.1"), Identities(state.signer)
        first = identities.of(known, "registry")
        assert identities.of(known, "registry") is first
        assert identities.of(known, "scoring") != first
        known.identities["registry"] = Minted(first, 0)
        claims = jwt.decode(
            first, SIGNING_KEY.public_key(), algorithms=["EdDSA"], issuer="kkb-gateway", audience="registry"
        )
        assert (claims["sub"], claims["exp"] - claims["iat"]) == (known.principal.id, 60)
        assert identities.of(known, "registry") is not first


class TestKeysOfIdentities:
    async def test_they_rotate_under_requests_and_none_fails(self, start_gateway: StartGateway, tmp_path: Path) -> None:
        keys = IdentityKeys(tmp_path)
        keys.make()
        running = await start_gateway(identity_public_key_file=keys.public, identity_private_key_file=keys.private)
        statuses: list[int] = []
        over = asyncio.Event()

        async def ask() -> None:
            key = (await running.issue("reader"))["key"]
            while not over.is_set():
                statuses.append((await running.client.get("/me", headers=running.with_key(key))).status_code)

        async with asyncio.TaskGroup() as clients:
            for _ in range(3):
                clients.create_task(ask())
            await eventually(lambda: _more_than(statuses, 10))
            keys.rotate()
            # what was minted before is used on; a key that is used for the first time comes with the new signature
            assert (await running.issue("reader"))["status"] == "active"
            asked = len(statuses)
            await eventually(lambda: _more_than(statuses, asked + 10))
            late = (await running.issue("reader"))["key"]
            assert (await running.client.get("/me", headers=running.with_key(late))).status_code == 200
            over.set()
        assert set(statuses) == {200}
        known = await running.gateway.own.state.keyring.check(late, "127.0.0.1")
        signed_with = jwt.get_unverified_header(known.identities["gateway"].token)["kid"]
        assert signed_with == key_id(load_private_key(keys.private).public_key())


async def _more_than(found: list[int], number: int) -> bool:
    return len(found) > number


class TestLastUse:
    async def test_is_kept_by_the_hour(self, gateway: Running) -> None:
        key = await gateway.issue("reader")
        url = f"/keys/{key['id']}"
        assert (await gateway.client.get(url, headers=gateway.with_key())).json()["last_used_at"] is None
        await gateway.client.get("/me", headers=gateway.with_key(key["key"]))
        await gateway.gateway.own.state.keyring.write_use()
        used = (await gateway.client.get(url, headers=gateway.with_key())).json()["last_used_at"]
        ((hour,),) = await rows(gateway, "SELECT last_used_at FROM api_keys WHERE id = :id", id=UUID(key["id"]))
        assert hour == clock.hour_of(hour)
        assert datetime.fromisoformat(used) == max(hour, datetime.fromisoformat(key["created_at"]))


class TestLogs:
    async def test_a_key_never_appears(self, gateway: Running) -> None:
        lines: list[str] = []
        formatter = JsonFormatter("gateway")

        class Keeping(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                lines.append(formatter.format(record))

        handler, root = Keeping(), logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            planted = (await gateway.issue("reader"))["key"]
            mine = {"X-Request-Id": "planted-key-1"}  # a whole platform may be at work beside it
            for shown in (gateway.with_key(planted), {"X-API-Key": planted}, gateway.with_key(planted + "0")):
                headers = {**shown, **mine}
                await gateway.client.get("/me", headers=headers)
                await gateway.client.get("/keys", headers=headers)
                await gateway.client.post("/keys", json={"name": planted}, headers=headers)
                await gateway.client.post("/keys", json={"name": planted}, headers={**gateway.with_key(), **mine})
                await gateway.client.get("/nowhere", headers=headers)
        finally:
            root.removeHandler(handler)
            root.setLevel(before)
        secret = planted.rpartition("_")[2]
        access = [line for line in lines if '"logger":"access"' in line and '"planted-key-1"' in line]
        assert len(access) == 15
        assert any('"caller":"' in line and '"request_id":"' in line for line in access)
        assert not [line for line in lines if secret in line]
