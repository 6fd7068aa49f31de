"""The relay on real processes: one leads, another takes over; nothing is skipped, whatever is slow, silent or full."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from nats.js import JetStreamContext
from sqlalchemy.ext.asyncio import create_async_engine

from kit.access import Caller, Role
from kit.database import Database
from kit.relay import LOCK
from services.registry.villages.actions import change_village
from services.registry.villages.schemas import VillageChange
from tests.faults.facts import (
    STREAMS,
    ask_jetstream,
    assert_agreement,
    register,
    unpublished,
    until,
    until_none,
    wait_for_effects,
)
from tests.faults.platform import SERVICES, Platform, Process, ServiceName

TAKEOVER_SECONDS = 60.0
OFFICER = Caller(id="tests", name="tests", roles=frozenset({Role.OFFICER}), region=None)


@pytest.fixture(autouse=True)
def all_agree(pair: Platform) -> Iterator[None]:
    yield
    wait_for_effects(pair)
    assert_agreement(pair)


def leaders(platform: Platform, service: ServiceName) -> list[Process]:
    """Who says that it leads, of those that are alive."""
    return [p for p in platform.of(service) if p.alive and p.metric("kkb_outbox_relay_leader") == 1]


def the_leader(platform: Platform, service: ServiceName) -> Process:
    def one() -> Process | None:
        found = leaders(platform, service)
        return found[0] if len(found) == 1 else None

    return until(one, TAKEOVER_SECONDS, f"one leader of {service}")


def holder_of_the_lock(platform: Platform, service: ServiceName) -> str | None:
    """PostgreSQL's process of the session that holds the leader's lock."""
    query = (
        f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = {LOCK} "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    found = platform.sql(service, query)
    return found[0][0] if found else None


def other_than(platform: Platform, process: Process) -> Process:
    return next(p for p in platform.of(process.service) if p is not process)


def takes_over(process: Process) -> None:
    until(lambda: process.metric("kkb_outbox_relay_leader") == 1, TAKEOVER_SECONDS, f"{process.name} leads")


def published(platform: Platform) -> None:
    until_none(lambda: unpublished(platform, "registry"), TAKEOVER_SECONDS, "unpublished")


def test_one_leads_each_service(pair: Platform) -> None:
    for service in SERVICES:
        the_leader(pair, service)


def test_another_leads_when_the_leader_is_killed(pair: Platform, desa: Iterator[str]) -> None:
    leader = the_leader(pair, "registry")
    other = other_than(pair, leader)
    leader.kill()
    assert register(other, next(desa)).status_code == 201
    takes_over(other)
    published(pair)


def test_another_leads_when_the_leader_goes_silent(pair: Platform, desa: Iterator[str]) -> None:
    """Frozen, as by an overloaded host; and cut off, without anybody being told."""
    frozen = the_leader(pair, "registry")
    other = other_than(pair, frozen)
    cut_off = holder_of_the_lock(pair, "scoring")
    frozen.pause()
    pair.proxies["scoring", "postgres"].lose()
    assert register(other, next(desa)).status_code == 201
    takes_over(other)
    published(pair)
    until(lambda: holder_of_the_lock(pair, "scoring") not in {cut_off, None}, TAKEOVER_SECONDS, "another leads scoring")
    frozen.resume()
    assert the_leader(pair, "registry") is other


def test_a_slow_transaction_with_a_lower_id_is_not_skipped(pair: Platform, desa: Iterator[str]) -> None:
    process = pair.processes["registry", 0]
    slow_code, quick_code = next(desa), next(desa)
    village = register(process, slow_code).json()["id"]

    async def slow_while_quick() -> None:
        engine = create_async_engine(pair.database_url("registry"))
        async with Database(engine).transaction() as session:
            await change_village(session, OFFICER, village, '"1"', VillageChange(name="Lambat"))
            await asyncio.to_thread(register, process, quick_code)
            await asyncio.to_thread(published, pair)
        await engine.dispose()

    asyncio.run(slow_while_quick())
    published(pair)
    query = "SELECT region_code FROM outbox WHERE region_code IN ('{}', '{}') ORDER BY {} DESC LIMIT 1"
    assert pair.sql("registry", query.format(slow_code, quick_code, "position")) == [[slow_code]]
    assert pair.sql("registry", query.format(slow_code, quick_code, "id")) == [[quick_code]]


def test_what_nobody_was_notified_of_is_published_too(pair: Platform, desa: Iterator[str]) -> None:
    """As if the notification had been lost: a change and its event written without one."""
    code = next(desa)
    register(pair.processes["registry", 0], code)
    published(pair)
    change = """
        UPDATE villages SET version = 2 WHERE region_code = '{code}';
        INSERT INTO outbox (event_id, type, region_code, entity, body)
        SELECT new.id, 'id.kampungkb.registry.village-changed.v1', region_code, entity, convert_to(jsonb_set(jsonb_set(
            jsonb_set(convert_from(body, 'UTF8')::jsonb, '{{id}}', to_jsonb(new.id)),
            '{{type}}', '"id.kampungkb.registry.village-changed.v1"'), '{{data,village,version}}', '2')::text, 'UTF8')
        FROM outbox, (SELECT gen_random_uuid() AS id) new WHERE region_code = '{code}'
    """
    pair.sql("registry", f"BEGIN; {change.format(code=code)}; COMMIT;")
    published(pair)


def test_a_full_stream_holds_back_and_loses_nothing(pair: Platform, desa: Iterator[str]) -> None:
    process = pair.processes["registry", 0]
    failures = sum(p.metric("kkb_outbox_publish_failures_total") for p in pair.of("registry"))
    limit_messages(pair, room=2)
    for _ in range(10):
        assert register(process, next(desa)).status_code == 201
    until(lambda: sum(p.metric("kkb_outbox_publish_failures_total") for p in pair.of("registry")) > failures)
    assert unpublished(pair, "registry") == 8
    limit_messages(pair, room=None)
    published(pair)


def limit_messages(platform: Platform, room: int | None) -> None:
    """Let the registry's stream hold so many messages more than now; None: no limit."""

    async def change(jetstream: JetStreamContext) -> None:
        info = await jetstream.stream_info(STREAMS["registry"])
        most = -1 if room is None else info.state.messages + room
        await jetstream.update_stream(info.config.evolve(max_msgs=most))

    ask_jetstream(platform, change)
