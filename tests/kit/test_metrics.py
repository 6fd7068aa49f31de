"""What operators see: every metric moves with what it tells of."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import nats
import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from contracts.events import STREAMS
from deploy.embedded.throwaway import ThrowawayServers
from kit import metrics
from kit.bus import Bus, ensure_stream
from kit.inbox import Retries
from kit.logs import JsonFormatter
from kit.relay import LOCK, Relay
from kit.tasks import stop
from tests.callers import caller
from tests.conftest import REPOSITORY, app_of, eventually, sample
from tests.kit.line import Line, has_effects


def value(name: str, **labels: str) -> float:
    found = sample(name, labels)
    assert found is not None, f"{name} {labels} is not shown"
    return found


async def becomes(wanted: float, name: str, **labels: str) -> None:
    async def is_so() -> bool:
        return value(name, **labels) == wanted

    await eventually(is_so)


class TestRequests:
    async def test_are_counted_by_template_not_by_address(self, registry: httpx.AsyncClient) -> None:
        await registry.get("/regions/33", headers=caller("reader"))
        labels = {"method": "GET", "route": "/api/v1/regions/{code}"}
        before = value("kkb_requests_total", status="200", **labels), value("kkb_request_seconds_count", **labels)
        for code in ("33", "33.26", "76"):
            await registry.get(f"/regions/{code}", headers=caller("reader"))
        after = value("kkb_requests_total", status="200", **labels), value("kkb_request_seconds_count", **labels)
        assert after == (before[0] + 3, before[1] + 3)

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


class TestProcess:
    async def test_connections_of_the_pool(self, lonely: httpx.AsyncClient) -> None:
        engine = app_of(lonely).state.database.engine
        connections = [await engine.connect() for _ in range(engine.pool.size())]
        assert value("kkb_database_pool_in_use") == value("kkb_database_pool_size") == 10
        for connection in connections:
            await connection.close()
        assert value("kkb_database_pool_in_use") < 10

    async def test_whether_nats_is_connected(self, lonely: httpx.AsyncClient, own_servers: ThrowawayServers) -> None:
        await becomes(1, "kkb_bus_connected")
        own_servers.nats.stop()
        try:
            await becomes(0, "kkb_bus_connected")
        finally:
            own_servers.nats.start()
        await becomes(1, "kkb_bus_connected")

    def test_a_process_without_events_says_nothing_of_them(self) -> None:
        shown = generate_latest(metrics.WITHOUT_EVENTS).decode()
        assert "kkb_requests_in_flight" in shown
        assert not [word for word in ("outbox", "consumer", "dead_letter", "event", "bus") if f"kkb_{word}" in shown]

    def test_no_metric_that_nobody_sets(self) -> None:
        declared = {name for name, one in vars(metrics).items() if isinstance(one, MetricWrapperBase)}
        files = [file for folder in ("kit", "services", "gateway") for file in (REPOSITORY / folder).rglob("*.py")]
        sources = "".join(file.read_text() for file in files)
        moves = (".set(", ".inc(", ".observe(", ".labels(", ".set_function(", ".track_inprogress(")
        assert not {name for name in declared if not any(f"{name}{move}" in sources for move in moves)}


@asynccontextmanager
async def relay_only(line: Line) -> AsyncIterator[Relay]:
    bus = Bus(line.servers.nats_url, "tests")
    relay = Relay(line.producer_url.replace("+asyncpg", ""), bus, "KKB_REGISTRY")
    tasks = [asyncio.create_task(bus.run()), asyncio.create_task(relay.run())]
    try:
        yield relay
    finally:
        await stop(tasks)


class TestOutbox:
    async def test_depth_age_position_published_and_failures(self, line: Line) -> None:
        published, failures = value("kkb_outbox_published_total"), value("kkb_outbox_publish_failures_total")
        async with relay_only(line):
            await line.commit(line.event(), line.event())
            await becomes(published + 2, "kkb_outbox_published_total")
            assert value("kkb_outbox_relay_leader") == 1
            line.servers.nats.stop()
            try:
                await line.commit(*(line.event() for _ in range(3)))
                await becomes(3, "kkb_outbox_depth")
                assert value("kkb_outbox_oldest_age_seconds") > 0
                assert value("kkb_outbox_position") == 5
                assert value("kkb_outbox_published_total") == published + 2

                async def failed() -> bool:
                    return value("kkb_outbox_publish_failures_total") > failures

                await eventually(failed)
            finally:
                line.servers.nats.start()
            await becomes(published + 5, "kkb_outbox_published_total")
            await becomes(0, "kkb_outbox_depth")
            assert value("kkb_outbox_oldest_age_seconds") == 0

    async def test_a_full_stream_says_so_and_nothing_is_lost(
        self, line: Line, empty_stream: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        published = value("kkb_outbox_published_total")
        async with relay_only(line) as relay:
            jetstream = await relay._bus.jetstream()
            config = (await jetstream.stream_info("KKB_REGISTRY")).config
            await jetstream.update_stream(config.evolve(max_msgs=2))
            try:
                await line.commit(*(line.event() for _ in range(3)))

                async def said() -> bool:
                    return "maximum messages exceeded" in caplog.text

                await eventually(said)
                await becomes(published + 2, "kkb_outbox_published_total")
            finally:
                await jetstream.update_stream(config)
            await becomes(published + 3, "kkb_outbox_published_total")

    async def test_who_lost_the_lead_says_nothing_that_is_no_longer_true(self, line: Line) -> None:
        async with relay_only(line):
            await line.commit(line.event())
            await becomes(1, "kkb_outbox_position")
        assert value("kkb_outbox_relay_leader") == 0
        gauges = ("kkb_outbox_depth", "kkb_outbox_oldest_age_seconds", "kkb_outbox_position")
        assert all(math.isnan(value(gauge)) for gauge in gauges)

    async def test_who_cannot_lead_measures_all_the_same(self, line: Line) -> None:
        other = await asyncpg.connect(line.producer_url.replace("+asyncpg", ""))
        await other.execute("SELECT pg_advisory_lock($1)", LOCK)
        await line.commit(line.event(), line.event())
        async with relay_only(line):
            await becomes(2, "kkb_outbox_depth")
            assert value("kkb_outbox_oldest_age_seconds") > 0
            assert value("kkb_outbox_relay_leader") == 0
        await other.close()

    async def test_when_the_stream_was_known_to_be_whole_and_what_it_had_lost(self, line: Line) -> None:
        found, again = self.findings(), value("kkb_reconciler_republished_total")
        assert math.isnan(value("kkb_reconciler_last_success_timestamp_seconds"))
        async with relay_only(line) as relay:

            async def reconciled() -> bool:
                return value("kkb_reconciler_last_success_timestamp_seconds") > started

            started = time.time() - 1
            await eventually(reconciled)
            await line.commit(line.event())
            await becomes(1, "kkb_outbox_position")
            await becomes(0, "kkb_outbox_depth")
            jetstream = await relay._bus.jetstream()
            await jetstream.delete_stream("KKB_REGISTRY")
            await ensure_stream(jetstream, "KKB_REGISTRY", STREAMS["KKB_REGISTRY"])
            await becomes(again + 1, "kkb_reconciler_republished_total")
            assert self.findings() == found + 1
        assert math.isnan(value("kkb_reconciler_last_success_timestamp_seconds"))

    def findings(self) -> float:
        """Streams made anew; missing where somebody looked in between."""
        seen = ("stream_recreated", "stream_missing")
        return sum(value("kkb_reconciler_findings_total", finding=finding) for finding in seen)


class TestConsumer:
    def results(self, line: Line) -> dict[str, float]:
        return {one: value("kkb_events_total", consumer=line.durable, result=one) for one in metrics.RESULTS}

    async def drained(self, line: Line, **wanted: float) -> None:
        async def counted() -> bool:
            return self.results(line) == dict.fromkeys(metrics.RESULTS, 0) | wanted

        await eventually(counted)

    async def test_all_series_are_there_before_the_first_event(self, line: Line) -> None:
        metrics.expect_consumer(line.durable)
        assert self.results(line) == dict.fromkeys(metrics.RESULTS, 0)
        assert value("kkb_event_age_seconds_count", consumer=line.durable) == 0
        assert value("kkb_dead_letters_total", consumer=line.durable) == 0
        assert value("kkb_consumer_bound", consumer=line.durable) == 0
        assert math.isnan(value("kkb_consumer_pending", consumer=line.durable))

    async def test_ok_stale_duplicate_and_their_age(self, line: Line, empty_stream: None) -> None:
        events = [line.event() for _ in range(5)]
        line.stale = {events[0].id, events[1].id}
        async with line.running():
            await line.commit(*events)
            await has_effects(line, *events)
            await self.drained(line, ok=3, stale=2)
            assert value("kkb_event_age_seconds_count", consumer=line.durable) == 5
            client = await nats.connect(line.servers.nats_url)
            await client.jetstream().publish(events[0].nats_subject, events[0].model_dump_json().encode())
            await client.close()
            await self.drained(line, ok=3, stale=2, duplicate=1)
            assert value("kkb_event_age_seconds_count", consumer=line.durable) == 5

    async def test_retried_then_dead(self, line: Line, empty_stream: None) -> None:
        poison = line.event()
        line.fails[poison.id] = 99
        line.retries = Retries(attempts=3, seconds=0.05)
        async with line.running():
            await line.commit(poison)
            await self.drained(line, retried=2, dead=1)
        assert value("kkb_dead_letters_total", consumer=line.durable) == 1
        assert value("kkb_event_age_seconds_count", consumer=line.durable) == 0

    async def test_pending_and_bound(self, line: Line, empty_stream: None) -> None:
        async with relay_only(line):
            await line.commit(*(line.event() for _ in range(7)))
            await becomes(0, "kkb_outbox_depth")
            await becomes(7, "kkb_outbox_position")
        async with line.consumer.transaction() as session:
            await (await session.connection()).exec_driver_sql("LOCK TABLE inbox")
            async with line.running(relay=False):
                await becomes(7, "kkb_consumer_pending", consumer=line.durable)
                await becomes(1, "kkb_consumer_bound", consumer=line.durable)
                await session.rollback()
                await self.drained(line, ok=7)
                await becomes(0, "kkb_consumer_pending", consumer=line.durable)
        assert value("kkb_consumer_bound", consumer=line.durable) == 0
        assert math.isnan(value("kkb_consumer_pending", consumer=line.durable))

    async def test_an_absent_database_is_no_retry(
        self, line: Line, empty_stream: None, own_servers: ThrowawayServers, caplog: pytest.LogCaptureFixture
    ) -> None:
        event = line.event()
        async with line.running(relay=False):
            own_servers.postgres.stop()
            try:
                client = await nats.connect(own_servers.nats_url)
                await client.jetstream().publish(event.nats_subject, event.model_dump_json().encode())
                await client.close()

                async def waiting() -> bool:
                    return "waits for the database" in caplog.text

                await eventually(waiting)
            finally:
                own_servers.postgres.start()
            await self.drained(line, ok=1)


@pytest.fixture
async def empty_stream(own_servers: ThrowawayServers) -> None:
    """A stream with nothing of other tests in it."""
    client = await nats.connect(own_servers.nats_url)
    await ensure_stream(client.jetstream(), "KKB_REGISTRY", STREAMS["KKB_REGISTRY"])
    await client.jetstream().purge_stream("KKB_REGISTRY")
    await client.close()
