"""Keys that may be used from some addresses only; the address is what the gateway sees, not what a client writes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.keys.expiry import count_expiring
from gateway.metrics import KEYS_EXPIRING
from kit import clock
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.keys.test_keys import DRAFT, rows
from tests.gateway.keys.test_rotation import ahead

OFFICE = "203.0.113.0/24"


async def status(running: Running, key: str, forwarded: str | None = None) -> int:
    headers = running.with_key(key) | ({} if forwarded is None else {"X-Forwarded-For": forwarded})
    return (await running.client.get("/me", headers=headers)).status_code


class TestIssue:
    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ([], "#/allowed_addresses"),
            (["203.0.113.9/24"], "#/allowed_addresses/0"),
            (["kantor.go.id"], "#/allowed_addresses/0"),
            (["0.0.0.0/0"], "#/allowed_addresses/0"),
            (["::/0"], "#/allowed_addresses/0"),
            (["10.0.0.1", "10.0.0.1/32"], "#/allowed_addresses"),
            (["10.0.0.1", "::ffff:10.0.0.1"], "#/allowed_addresses/1"),
            ([f"10.0.0.{number}" for number in range(51)], "#/allowed_addresses"),
            ("10.0.0.1", "#/allowed_addresses"),
        ],
    )
    async def test_invalid(self, gateway: Running, given: Any, pointer: str) -> None:
        body = {**DRAFT, "allowed_addresses": given}
        answer = await gateway.client.post("/keys", json=body, headers=gateway.with_key())
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_happy_in_one_way_of_writing(self, gateway: Running) -> None:
        key = await gateway.issue("reader", allowed_addresses=["203.0.113.7", "2001:DB8:0:0::/48", "10.0.0.0/8"])
        assert key["allowed_addresses"] == ["10.0.0.0/8", "2001:db8::/48", "203.0.113.7/32"]
        assert (await gateway.issue("reader"))["allowed_addresses"] is None


class TestUse:
    async def test_from_elsewhere_and_from_there(self, gateway: Running) -> None:
        elsewhere = await gateway.issue("reader", allowed_addresses=[OFFICE, "::1"])
        answer = await gateway.client.get("/me", headers=gateway.with_key(elsewhere["key"]))
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:address-forbidden")
        assert answer.json()["detail"] == "this key may not be used from 127.0.0.1"
        here = await gateway.issue("reader", allowed_addresses=[OFFICE, "127.0.0.0/8"])
        assert await status(gateway, here["key"]) == 200

    @pytest.mark.parametrize("forged", ["203.0.113.9", "203.0.113.9, 127.0.0.1", "::ffff:203.0.113.9"])
    async def test_a_forged_header_never_counts(self, gateway: Running, forged: str) -> None:
        key = await gateway.issue("reader", allowed_addresses=[OFFICE])
        assert await status(gateway, key["key"], forged) == 403

    async def test_behind_a_trusted_proxy_its_word_counts(self, start_gateway: StartGateway) -> None:
        behind = await start_gateway(trusted_proxies="127.0.0.1")
        key = (await behind.issue("reader", allowed_addresses=[OFFICE]))["key"]
        assert await status(behind, key, "203.0.113.9") == 200
        assert await status(behind, key, "8.8.8.8, 203.0.113.9") == 200
        assert await status(behind, key, "203.0.113.9, 8.8.8.8") == 403
        assert await status(behind, key, "203.0.113.9, nonsense") == 403
        assert await status(behind, key) == 403

    async def test_a_wrong_or_revoked_key_is_not_told_from_where_it_may_be_used(self, gateway: Running) -> None:
        key = await gateway.issue("reader", allowed_addresses=[OFFICE])
        last = "0" if key["key"][-1] != "0" else "1"
        assert await status(gateway, key["key"][:-1] + last) == 401
        await gateway.client.delete(f"/keys/{key['id']}", headers=gateway.with_key())
        assert await status(gateway, key["key"]) == 401


class TestFilters:
    async def test_each_narrows_the_list(self, gateway: Running) -> None:
        admin = await gateway.issue("administrator", region="91")
        first = await gateway.issue("reader", region="91.01", owner="Dinas Satu", expires_at=ahead(days=5))
        second = await gateway.issue(
            "reporter", "partner", region="91.02", owner="Dinas Dua", expires_at=ahead(days=50)
        )
        await status(gateway, first["key"])
        await gateway.gateway.own.state.keyring.write_use()
        everybody = [admin, first, second]
        for query, expected in (
            ({}, everybody),
            ({"role": "partner"}, [second]),
            ({"owner": "Dinas Satu"}, [first]),
            ({"owner": "dinas satu"}, []),
            ({"region": "91.02"}, [second]),
            ({"region": "91"}, everybody),
            ({"expires_before": ahead(days=30)}, [first]),
            ({"expires_before": ahead(days=60), "role": "reporter"}, [second]),
            ({"not_used_since": ahead(days=-1)}, [admin, second]),
            ({"not_used_since": ahead(days=1)}, everybody),
        ):
            answer = await gateway.client.get("/keys", params=query, headers=gateway.with_key(admin["key"]))
            found = {key["id"] for key in answer.json()["items"]}
            # the administrator's own use is written down when it comes to it
            assert found - {admin["id"]} == {key["id"] for key in expected} - {admin["id"]}, query

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"role": "king"}, 422),
            ({"region": "91.1"}, 422),
            ({"expires_before": "2030-01-01"}, 422),
            ({"region": "92"}, 403),
        ],
    )
    async def test_invalid_and_wrong_region(self, gateway: Running, query: dict[str, str], status: int) -> None:
        admin = await gateway.issue("administrator", region="91")
        answer = await gateway.client.get("/keys", params=query, headers=gateway.with_key(admin["key"]))
        assert answer.status_code == status


class TestExpiry:
    async def test_keys_in_use_that_expire_soon_are_counted(self, start_gateway: StartGateway) -> None:
        alone = await start_gateway()
        database = alone.gateway.own.state.database

        async def counted() -> float:
            await count_expiring(database)
            return float(KEYS_EXPIRING._value.get())

        soon = await alone.issue("reader", expires_at=ahead(days=29))
        late = await alone.issue("reader", expires_at=ahead(days=31))
        await alone.issue("reader", expires_at=ahead(days=5))  # nobody uses it
        revoked = await alone.issue("reader", expires_at=ahead(days=5))
        assert await counted() == 0
        for key in (soon, late, revoked):
            assert await status(alone, key["key"]) == 200
        await alone.gateway.own.state.keyring.write_use()
        await alone.client.delete(f"/keys/{revoked['id']}", headers=alone.with_key())
        assert await counted() == 1
        past = clock.now().replace(year=2020)
        await rows(alone, "UPDATE api_keys SET expires_at = :t WHERE id = :i RETURNING 1", t=past, i=soon["id"])
        assert await counted() == 0

    async def test_unknown_without_the_database(self, start_gateway: StartGateway) -> None:
        away = await start_gateway(database_url="postgresql+asyncpg://kkb:kkb@127.0.0.1:9/kkb", ready=False)
        await count_expiring(away.gateway.own.state.database)
        assert KEYS_EXPIRING._value.get() != KEYS_EXPIRING._value.get()
