"""Servers and networks that go silent: nothing waits for ever, and all is well when they are back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.callers import caller
from tests.faults.conftest import REQUEST_SECONDS, SILENT_SECONDS
from tests.faults.facts import assert_agreement, register, unpublished, until, wait_for_effects
from tests.faults.load import Load
from tests.faults.platform import HTTP, Platform, Process

LIMIT_SECONDS = REQUEST_SECONDS + 15.0
"""A request is rolled back after REQUEST_SECONDS; the rest is for a busy machine."""
FREED_SECONDS = SILENT_SECONDS + 30.0
WRITES = {201, 503}

Fault = Callable[[Platform], None]

POSTGRES: dict[str, Fault] = {
    "paused": lambda pair: pair.postgres.pause(),
    "answers-lost": lambda pair: pair.proxies["registry", "postgres"].half_open(),
    "connections-lost": lambda pair: pair.proxies["registry", "postgres"].lose(),
}
NATS: dict[str, Fault] = {
    "paused": lambda pair: pair.nats.pause(),
    "answers-lost": lambda pair: pair.proxies["registry", "nats"].half_open(),
}


def heal(pair: Platform) -> None:
    pair.postgres.resume()
    pair.nats.resume()
    for proxy in pair.proxies.values():
        proxy.heal()


def all_is_well(pair: Platform, pids: list[int]) -> None:
    pair.wait_ready()
    wait_for_effects(pair)
    assert_agreement(pair)
    assert [process.pid for process in pair.processes.values()] == pids, "nobody was restarted"


@pytest.mark.parametrize("fault", POSTGRES.values(), ids=POSTGRES)
def test_postgres_silent(pair: Platform, desa: Iterator[str], fault: Fault) -> None:
    pids = [process.pid for process in pair.processes.values()]
    registry = pair.of("registry")
    with Load(desa, registry, clients=4) as load:
        load.wait_for(4)
        fault(pair)
        for process in registry:
            assert process.livez().status_code == 200
        time.sleep(REQUEST_SECONDS + 1)
        says = registry[0].readyz()
        assert registry[0].livez().status_code == 200
        load.stop()
        heal(pair)
    assert load.statuses().keys() <= WRITES, load.but(*WRITES)[:5]
    assert 503 in load.statuses()
    assert max(answer.seconds for answer in load.answers) < LIMIT_SECONDS
    assert all(answer.retry_after for answer in load.but(201))
    if fault is not POSTGRES["connections-lost"]:  # new ones are well at once
        assert says.status_code == 503
        assert says.json()["needs"]["database"] != "ok"
    all_is_well(pair, pids)


@pytest.mark.parametrize("fault", NATS.values(), ids=NATS)
def test_nats_silent(pair: Platform, desa: Iterator[str], fault: Fault) -> None:
    """Writes go on; events wait, and follow."""
    pids = [process.pid for process in pair.processes.values()]
    registry = pair.of("registry")
    with Load(desa, registry) as load:
        load.wait_for(4)
        fault(pair)
        load.wait_for(10)
        for process in registry:
            assert process.livez().status_code == 200
            assert process.readyz().status_code == 200
    assert load.statuses().keys() == {201}, load.but(201)[:5]
    assert unpublished(pair, "registry") > 0
    heal(pair)
    all_is_well(pair, pids)


def test_rows_locked_by_who_vanished_are_freed(pair: Platform, desa: Iterator[str]) -> None:
    """A transaction's owner hears nothing more of the server, and the server not that its owner has gone."""
    process = pair.processes["registry", 0]
    village = register(process, next(desa)).json()["id"]
    pair.proxies["registry", "postgres"].half_open()
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(rename, process, village)
        until(lambda: sessions_in_transaction(pair), REQUEST_SECONDS, "a transaction left behind")
        assert answer.result().status_code == 503
    until(lambda: not sessions_in_transaction(pair), FREED_SECONDS, "transactions of the vanished")
    pair.proxies["registry", "postgres"].heal()


def test_rows_locked_by_a_frozen_process_are_freed(pair: Platform, desa: Iterator[str]) -> None:
    frozen, other = pair.of("registry")
    village = register(other, next(desa)).json()["id"]
    with Load(desa, [frozen], clients=6):
        until(lambda: freeze_within_a_transaction(pair, frozen), what="frozen within a transaction")
        until(lambda: not sessions_in_transaction(pair), FREED_SECONDS, "transactions of the frozen")
        answer = rename(other, village)
        assert answer.status_code == 200, answer.text
        frozen.resume()


def rename(process: Process, village: str) -> httpx.Response:
    headers = {**caller("officer"), "If-Match": '"1"'}
    return HTTP.patch(f"{process.url}/villages/{village}", json={"name": "x"}, headers=headers, timeout=LIMIT_SECONDS)


def freeze_within_a_transaction(pair: Platform, process: Process) -> bool:
    process.pause()
    time.sleep(0.3)
    if sessions_in_transaction(pair):
        return True
    process.resume()
    return False


def sessions_in_transaction(pair: Platform) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
        "AND datname = current_database() AND state_change < clock_timestamp() - interval '200 milliseconds'"
    )
    return int(pair.sql("registry", query)[0][0])
