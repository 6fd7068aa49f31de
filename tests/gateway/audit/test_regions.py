"""Which region an entry names: as the service told that carried the request out, whatever the address says."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from kit.observe import Observed
from kit.openapi import contract
from kit.process import contract_application
from kit.touched import REGION_HEADER
from services.interventions.service import SERVICE as INTERVENTIONS
from services.registry.service import SERVICE as REGISTRY
from tests.conftest import app_of
from tests.gateway.audit.test_audit import DRAFT, entries, told
from tests.gateway.conftest import Running, StartGateway, listening
from tests.interventions.given import draft, known_village
from tests.registry.test_villages import desa

HERE, ELSEWHERE = "83.01", "83.02"
_numbers = itertools.count()


@pytest.fixture(scope="module")
async def platform(
    registry: httpx.AsyncClient, interventions: httpx.AsyncClient, start_gateway: StartGateway
) -> AsyncIterator[Running]:
    """A gateway before the real registry and interventions service."""
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(listening(Observed(app_of(one)))) for one in (registry, interventions)]
        urls = dict(zip(("registry_url", "interventions_url"), (f"http://127.0.0.1:{p}" for p in ports), strict=True))
        documents = {one.name: contract(contract_application(one)) for one in (REGISTRY, INTERVENTIONS)}
        yield await start_gateway(documents=documents, **urls)


async def ask(
    platform: Running,
    method: str,
    path: str,
    *,
    expect: int,
    key: str | None = None,
    headers: Any = None,
    body: Any = None,
) -> tuple[httpx.Response, str | None]:
    """The answer, and the region of its entry. Nobody outside learns the region from a header, or gives one."""
    request_id = f"audit-region-{next(_numbers)}"
    sent = {**platform.with_key(key), "X-Request-Id": request_id, REGION_HEADER: "11", **(headers or {})}
    answer = await platform.client.request(method, path, json=body, headers=sent)
    assert answer.status_code == expect, answer.text
    assert REGION_HEADER not in answer.headers
    (entry,) = await told(platform, request_id=request_id)
    assert entry["status"] == expect
    return answer, entry["region"]


class TestVillages:
    async def test_in_the_body_by_id_and_again(self, platform: Running, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "17.01")
        once = {"Idempotency-Key": "audit-region-once"}
        body = {"region_code": code, "name": "Kampung KB Jejak"}
        made, region = await ask(platform, "POST", "/villages", expect=201, body=body, headers=once)
        assert region == code
        again, region = await ask(platform, "POST", "/villages", expect=201, body=body, headers=once)
        assert (again.headers["idempotency-replayed"], region) == ("true", code)
        path = f"/villages/{made.json()['id']}"
        for match, status in (('"9"', 412), ('"1"', 200)):
            headers = {"If-Match": match}
            _, region = await ask(platform, "PATCH", path, expect=status, body={"name": "Baru"}, headers=headers)
            assert region == code

    async def test_a_region_that_the_caller_names_and_may_not_see(self, platform: Running) -> None:
        key = (await platform.issue("officer", region=ELSEWHERE))["key"]
        body = {"region_code": "33.26.05.2001"}
        _, region = await ask(platform, "POST", "/villages", expect=403, key=key, body=body)
        assert region == "33.26.05.2001"

    async def test_nothing_is_told_of_what_he_may_not_see(self, platform: Running, registry: httpx.AsyncClient) -> None:
        code = await desa(registry, "17.01")
        made, _ = await ask(platform, "POST", "/villages", expect=201, body={"region_code": code})
        key = (await platform.issue("officer", region=ELSEWHERE))["key"]
        path, headers = f"/villages/{made.json()['id']}", {"If-Match": '"1"'}
        _, region = await ask(platform, "PATCH", path, expect=404, key=key, body={"name": "x"}, headers=headers)
        assert region is None

    async def test_refused_before_it_reached_a_region(self, platform: Running) -> None:
        path = "/villages/83.01.01.2001/profiles"
        _, region = await ask(platform, "POST", path, expect=422, body={})
        assert region == "83.01.01.2001", "as its address says"


class TestInterventions:
    async def test_in_the_body_and_by_id(self, platform: Running, interventions: httpx.AsyncClient) -> None:
        village, code = await known_village(interventions, district=f"{HERE}.07")
        made, region = await ask(platform, "POST", "/interventions", expect=201, body=draft(village))
        assert region == code
        path, headers = f"/interventions/{made.json()['id']}", {"If-Match": '"1"'}
        _, region = await ask(platform, "PATCH", path, expect=200, body={"title": "Lain"}, headers=headers)
        assert region == code
        key = (await platform.issue("administrator", region=HERE))["key"]
        seen = await platform.client.get(f"/audit?region={code}", headers=platform.with_key(key))
        assert {item["operation"] for item in seen.json()["items"]} == {"record_intervention", "correct_intervention"}
        other = (await platform.issue("administrator", region=ELSEWHERE))["key"]
        unseen = await platform.client.get(f"/audit?region={code}", headers=platform.with_key(other))
        assert unseen.json()["items"] == []


class TestOwnOperations:
    async def test_in_the_body_and_by_id(self, platform: Running) -> None:
        made, region = await ask(platform, "POST", "/keys", expect=201, body={**DRAFT, "region": f"{HERE}.01"})
        assert region == f"{HERE}.01"
        _, region = await ask(platform, "DELETE", f"/keys/{made.json()['id']}", expect=204)
        assert region == f"{HERE}.01"

    async def test_several_regions_are_the_smallest_that_holds_them(self, platform: Running) -> None:
        before, after = ([{"role": "officer", "region": f"{HERE}.{district}"}] for district in ("01", "02"))
        body = {"login": "audit.wilayah", "name": "Petugas", "office": "Dinas", "grants": before}
        made, region = await ask(platform, "POST", "/accounts", expect=201, body=body)
        assert region == f"{HERE}.01"
        path, headers = f"/accounts/{made.json()['id']}", {"If-Match": '"1"'}
        _, region = await ask(platform, "PATCH", path, expect=200, body={"grants": after}, headers=headers)
        assert region == HERE

    async def test_the_whole_country_is_none(self, platform: Running) -> None:
        _, region = await ask(platform, "POST", "/keys", expect=201, body={**DRAFT, "region": None})
        assert region is None


async def test_a_listing_is_recorded_with_the_region_that_was_listed(platform: Running) -> None:
    key = (await platform.issue("administrator", region=HERE))["key"]
    _, region = await ask(platform, "GET", "/keys", expect=200, key=key)
    assert region == HERE
    assert await entries(platform, operation="list_keys", region=ELSEWHERE) == []
