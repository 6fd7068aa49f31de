"""Quotas as clients meet them, through the composed gateway."""

from __future__ import annotations

import httpx
import pytest

from gateway.limits.buckets import Quota
from gateway.limits.charging import Limits, network
from gateway.limits.classes import LimitClass
from gateway.metrics import LIMITED
from kit.problems import TooMany
from tests.gateway.conftest import Running, StartGateway

ME = "/me"


@pytest.fixture(scope="module")
async def strict(start_gateway: StartGateway) -> Running:
    """A gateway with quotas that a test can use up, and that stay used up for an hour."""
    return await start_gateway(limit_read="3/3600", limit_write="9/3600", limit_strangers="4/3600")


def limited(kind: LimitClass, who: str) -> float:
    return LIMITED.labels(kind, who)._value.get()


class TestCallers:
    async def test_are_told_what_is_left_and_when_it_is_used_up(self, strict: Running) -> None:
        key = (await strict.issue("reader"))["key"]
        answers = [await strict.client.get(ME, headers=strict.with_key(key)) for _ in range(3)]
        assert [one.status_code for one in answers] == [200] * 3
        assert {one.headers["ratelimit-policy"] for one in answers} == {'"read";q=3;w=3600'}
        assert [one.headers["ratelimit"].split(";t=")[0] for one in answers] == [
            '"read";r=2',
            '"read";r=1',
            '"read";r=0',
        ]
        before = limited(LimitClass.READ, "caller")
        refused = await strict.client.get(ME, headers=strict.with_key(key))
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:kampungkb:problem:too-many-requests")
        assert 1100 < int(refused.headers["retry-after"]) <= 1200
        assert refused.headers["ratelimit"].startswith('"read";r=0;t=')
        assert refused.headers["ratelimit-policy"] == '"read";q=3;w=3600'
        assert limited(LimitClass.READ, "caller") == before + 1

    async def test_another_key_and_another_class_have_their_own(self, strict: Running) -> None:
        one, other = [(await strict.issue("reader"))["key"] for _ in range(2)]
        for _ in range(4):
            last = await strict.client.get(ME, headers=strict.with_key(one))
        assert last.status_code == 429
        assert (await strict.client.get(ME, headers=strict.with_key(other))).status_code == 200
        # the write's own refusal is the role's, not the quota's
        assert (await strict.client.post("/keys", json={}, headers=strict.with_key(one))).status_code == 403

    async def test_head_and_get_share(self, strict: Running) -> None:
        key = (await strict.issue("reader"))["key"]
        assert (
            (await strict.client.head(ME, headers=strict.with_key(key))).headers["ratelimit"].startswith('"read";r=2')
        )
        assert (await strict.client.get(ME, headers=strict.with_key(key))).headers["ratelimit"].startswith('"read";r=1')


class TestStrangers:
    async def test_bad_keys_are_refused_before_they_are_looked_up_and_good_ones_pass(
        self, start_gateway: StartGateway
    ) -> None:
        strict = await start_gateway(limit_strangers="4/3600")
        good = strict.with_key((await strict.issue("reader"))["key"])
        assert (await strict.client.get(ME, headers=good)).status_code == 200
        bad = strict.with_key("kkb_0190b3a0-0000-7000-8000-000000000000_" + "x" * 43)
        statuses = [(await strict.client.get(ME, headers=bad)).status_code for _ in range(6)]
        assert statuses == [401] * 4 + [429] * 2
        assert (await strict.client.get(ME)).status_code == 429
        assert (await strict.client.get(ME, headers=good)).status_code == 200

    async def test_open_pages_are_limited_by_address(self, strict: Running) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{strict.port}") as client:
            statuses = [(await client.get("/docs")).status_code for _ in range(5)]
        assert statuses == [200] * 4 + [429]


class TestLimits:
    """The same without a gateway, where the clock matters."""

    def test_an_address_is_not_an_endless_supply_of_clients(self) -> None:
        limits = Limits(dict.fromkeys(LimitClass, Quota(5, 60)), Quota(1, 60))
        limits.charge_stranger("2001:db8:1:2::1", LimitClass.READ, 0.0)
        with pytest.raises(TooMany):
            limits.charge_stranger("2001:db8:1:2:ffff::9", LimitClass.READ, 0.0)
        limits.charge_stranger("2001:db8:1:3::1", LimitClass.READ, 0.0)

    @pytest.mark.parametrize(
        ("address", "expected"),
        [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8::5", "2001:db8::"),
            ("", ""),
            ("?", "?"),
        ],
    )
    def test_networks(self, address: str, expected: str) -> None:
        assert network(address) == expected

    def test_ways_in_have_a_quota_of_their_own(self) -> None:
        quotas = dict.fromkeys(LimitClass, Quota(100, 60)) | {LimitClass.SIGN_IN: Quota(1, 60)}
        limits = Limits(quotas, Quota(100, 60))
        limits.charge_stranger("10.0.0.1", LimitClass.SIGN_IN, 0.0)
        with pytest.raises(TooMany, match="sign-in"):
            limits.charge_stranger("10.0.0.1", LimitClass.SIGN_IN, 0.0)
        limits.charge_stranger("10.0.0.1", LimitClass.READ, 0.0)
