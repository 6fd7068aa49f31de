"""The gateway before the real registry, on real ports: from a key to an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import mint
from kit.observe import Observed
from kit.openapi import contract
from kit.process import contract_application
from services.registry.service import SERVICE
from tests.callers import caller
from tests.conftest import app_of
from tests.gateway.conftest import Running, StartGateway, listening


@dataclass
class Scene:
    """A gateway and the registry behind it, also reachable directly."""

    gateway: Running
    direct: httpx.AsyncClient


@pytest.fixture(scope="session")
async def scene(registry: httpx.AsyncClient, start_gateway: StartGateway) -> AsyncIterator[Scene]:
    async with listening(Observed(app_of(registry))) as port:
        url = f"http://127.0.0.1:{port}"
        documents = {"registry": contract(contract_application(SERVICE))}
        gateway = await start_gateway(registry_url=url, documents=documents)
        async with httpx.AsyncClient(base_url=f"{url}/api/v1") as direct:
            yield Scene(gateway, direct)


class TestReached:
    async def test_directly_without_identity(self, scene: Scene) -> None:
        answer = await scene.direct.get("/regions", params={"parent": "33"})
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")

    async def test_directly_with_a_key_or_a_forged_identity(self, scene: Scene) -> None:
        nobody = Principal(id="x", name="x", grants=(Grant(Role.ADMINISTRATOR, None),))
        forged = {IDENTITY_HEADER: mint(nobody, Ed25519PrivateKey.generate(), "registry")}
        for headers in (forged, scene.gateway.with_key()):
            assert (await scene.direct.get("/regions", headers=headers)).status_code == 401

    async def test_through_the_gateway_as_directly(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("reader"))["key"]
        query = {"parent": "33.26", "limit": "200"}
        through = await scene.gateway.client.get("/regions", params=query, headers=scene.gateway.with_key(key))
        direct = await scene.direct.get("/regions", params=query, headers=caller("reader"))
        assert through.status_code == direct.status_code == 200
        assert through.content == direct.content
        assert len(through.json()["items"]) == 19

    async def test_through_the_gateway_without_a_key(self, scene: Scene) -> None:
        assert (await scene.gateway.client.get("/regions", params={"parent": "33"})).status_code == 401


class TestKeptOut:
    async def test_wrong_role_at_the_edge(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("reader"))["key"]
        body = {"region_code": "33.26.05.2001"}
        answer = await scene.gateway.client.post("/villages", json=body, headers=scene.gateway.with_key(key))
        assert answer.status_code == 403
        assert scene.gateway.gateway.door is not None

    async def test_wrong_region_at_the_service(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("officer", region="33.27"))["key"]
        body = {"region_code": "33.26.05.2001"}
        answer = await scene.gateway.client.post("/villages", json=body, headers=scene.gateway.with_key(key))
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")

    async def test_forged_identity_changes_nothing(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("reader"))["key"]
        headers = {**scene.gateway.with_key(key), **caller("administrator")}
        body = {"region_code": "33.26.05.2001"}
        assert (await scene.gateway.client.post("/villages", json=body, headers=headers)).status_code == 403


class TestWriting:
    async def test_etag_and_idempotency_work_through_the_gateway(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("officer", region="33.26"))["key"]
        headers = {**scene.gateway.with_key(key), "Idempotency-Key": "through-the-gateway"}
        body = {"region_code": "33.26.05.2002", "name": "Kampung KB Uji"}
        first = await scene.gateway.client.post("/villages", json=body, headers=headers)
        again = await scene.gateway.client.post("/villages", json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        url = f"/villages/{first.json()['id']}"
        stale = await scene.gateway.client.patch(url, json={"name": "x"}, headers={**headers, "If-Match": '"9"'})
        assert stale.status_code == 412
        changed = await scene.gateway.client.patch(
            url, json={"name": "Baru"}, headers={**headers, "If-Match": first.headers["etag"]}
        )
        assert (changed.status_code, changed.json()["name"], changed.headers["etag"]) == (200, "Baru", '"2"')

    async def test_problems_of_the_service_arrive_as_they_are(self, scene: Scene) -> None:
        key = (await scene.gateway.issue("officer"))["key"]
        answer = await scene.gateway.client.post(
            "/villages", json={"region_code": 11.1}, headers=scene.gateway.with_key(key)
        )
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert answer.json()["errors"][0]["pointer"] == "#/region_code"


class TestRequestIds:
    async def test_one_id_for_both_processes(self, scene: Scene) -> None:
        headers = {**scene.gateway.with_key(), "X-Request-Id": "from-the-client-1"}
        answer = await scene.gateway.client.get("/regions/33.26", headers=headers)
        assert answer.status_code == 200
        assert answer.headers.get_list("x-request-id") == ["from-the-client-1"]
