"""What operators see: health, readiness, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.contract import ContractMissing, committed
from kit.ops import ops_app
from tests.gateway.conftest import Running, StartGateway, listening


@pytest.fixture
async def ops(gateway: Running) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=ops_app(gateway.gateway.health))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        yield client


async def values(ops: httpx.AsyncClient, sample: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families((await ops.get("/metrics")).text)
    return {
        tuple(one.labels.values()): one.value for family in families for one in family.samples if one.name == sample
    }


class TestHealth:
    async def test_ready_although_no_service_answers(self, ops: httpx.AsyncClient) -> None:
        assert (await ops.get("/livez")).json()["alive"] is True
        answer = await ops.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["needs"] == {"database": "ok", "migrations": "ok", "administrator": "ok"}
        assert set(answer.json()["noted"]) == {"registry", "interventions", "scoring"}
        assert "cannot be reached" in answer.json()["noted"]["registry"]

    async def test_a_service_that_answers_is_shown(self, start_gateway: StartGateway) -> None:
        async def nothing(_scope: object, _receive: object, _send: object) -> None:
            return

        async with listening(nothing) as port:
            running = await start_gateway(scoring_url=f"http://127.0.0.1:{port}")
            transport = httpx.ASGITransport(app=ops_app(running.gateway.health))
            async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
                assert (await client.get("/readyz")).json()["noted"]["scoring"] == "ok"

    async def test_not_ready_without_its_database(self, start_gateway: StartGateway) -> None:
        away = await start_gateway(database_url="postgresql+asyncpg://kkb:kkb@127.0.0.1:9/kkb", ready=False)
        transport = httpx.ASGITransport(app=ops_app(away.gateway.health))
        async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
            assert (await client.get("/livez")).status_code == 200
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["needs"]["database"] != "ok"


class TestMetrics:
    async def test_requests_are_counted_by_template_not_by_address(
        self, gateway: Running, ops: httpx.AsyncClient
    ) -> None:
        key = await gateway.issue("reader")
        counted = ("GET", "/api/v1/keys/{key}", "200")
        before = (await values(ops, "kkb_requests_total")).get(counted, 0)
        await gateway.client.get(f"/keys/{key['id']}", headers=gateway.with_key())
        after = await values(ops, "kkb_requests_total")
        assert after[counted] == before + 1
        assert not [labels for labels in after if key["id"] in str(labels)]

    async def test_what_is_not_there_has_one_label(self, gateway: Running, ops: httpx.AsyncClient) -> None:
        for path in ("/a", "/b", "/c%20d"):
            await gateway.client.get(path)
        assert (await values(ops, "kkb_requests_total"))[("GET", "(none)", "404")] >= 3

    async def test_failures_of_a_service_are_counted_by_kind(self, start_gateway: StartGateway) -> None:
        operation = {"operationId": "x", "security": [{"key": ["villages:read"]}], "responses": {}}
        document = {"openapi": "3.1.0", "paths": {"/api/v1/x": {"get": operation}}}
        running = await start_gateway(documents={"registry": document})
        transport = httpx.ASGITransport(app=ops_app(running.gateway.health))
        async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
            before = (await values(client, "kkb_gateway_failures_total")).get(("connect", "registry"), 0)
            answer = await running.client.get("/x", headers=running.with_key())
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            assert (await values(client, "kkb_gateway_failures_total"))[("connect", "registry")] == before + 1
            assert ("registry", "503") in await values(client, "kkb_gateway_answers_total")
            assert (await values(client, "kkb_gateway_connections_open"))[("registry",)] == 0


class TestStart:
    def test_missing_contracts_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "registry.json").write_text("{}")
        with pytest.raises(ContractMissing, match=r"interventions\.json.*make contracts"):
            committed(tmp_path)
