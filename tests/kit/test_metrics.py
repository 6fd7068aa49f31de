"""What operators see."""

from __future__ import annotations

import json
import logging

import httpx
import pytest
from prometheus_client import REGISTRY

from kit.logs import JsonFormatter
from tests.callers import caller


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class TestRequests:
    async def test_are_counted_by_template_not_by_address(self, registry: httpx.AsyncClient) -> None:
        labels = {"method": "GET", "route": "/api/v1/regions/{code}", "status": "200"}
        before = value("kkb_requests_total", **labels)
        for code in ("33", "33.26", "76"):
            await registry.get(f"/regions/{code}", headers=caller("reader"))
        assert value("kkb_requests_total", **labels) == before + 3

    async def test_outbox_figures_fall_back_to_zero(self, registry: httpx.AsyncClient) -> None:
        assert REGISTRY.get_sample_value("kkb_outbox_oldest_age_seconds") is not None
        assert value("kkb_database_pool_size") == 10

    async def test_the_log_line_has_the_template_and_no_body(
        self, registry: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "access"):
            headers = {**caller("officer"), "X-Request-Id": "find-me-again"}
            await registry.post("/villages", json={"region_code": "33.26", "name": "planted secret"}, headers=headers)
        lines = [json.loads(JsonFormatter("registry").format(record)) for record in caplog.records]
        line = next(line for line in lines if line["message"] == "request")
        assert (line["method"], line["route"], line["status"]) == ("POST", "/api/v1/villages", 422)
        assert "planted" not in json.dumps(lines)
