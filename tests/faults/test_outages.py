"""Servers that go away under load: no write fails for NATS, none is lost for PostgreSQL, and all is well afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pytest

from tests.faults.facts import assert_agreement, register, unpublished, wait_for_effects
from tests.faults.load import PATIENCE_SECONDS, Load
from tests.faults.platform import Platform

OUTAGE_SECONDS = float(os.environ.get("KKB_FAULT_OUTAGE_SECONDS", "3"))
"""How long NATS is away; the long run is ten minutes."""


def pids(platform: Platform) -> list[int]:
    return [process.pid for process in platform.processes.values()]


def test_nats_away(pair: Platform, desa: Iterator[str], capsys: pytest.CaptureFixture[str]) -> None:
    with Load(desa, pair.of("registry")) as load:
        load.wait_for(5)
        pair.nats.stop()
        time.sleep(OUTAGE_SECONDS)
        load.wait_for(10)
        waiting = unpublished(pair, "registry")
        pair.nats.start()
        back = time.monotonic()
        load.wait_for(5)
    wait_for_effects(pair, 60 + OUTAGE_SECONDS)
    took = time.monotonic() - back
    assert not load.but(201), load.but(201)[:5]
    assert waiting >= 10
    assert_agreement(pair)
    with capsys.disabled():
        sys.stdout.write(
            f"\nNATS away for {OUTAGE_SECONDS:.0f} s: {waiting} events waited, effects {took:.1f} s later\n"
        )


def test_postgres_restarted(pair: Platform, desa: Iterator[str]) -> None:
    before = pids(pair)
    with Load(desa, pair.of("registry")) as load:
        load.wait_for(5)
        pair.postgres.stop()
        time.sleep(1)
        pair.postgres.start()
        load.wait_for(10)
    assert load.statuses().keys() == {201, 503}, load.but(201, 503)[:5]
    assert all(answer.retry_after for answer in load.but(201))
    assert max(answer.seconds for answer in load.answers) < PATIENCE_SECONDS
    pair.wait_ready()
    wait_for_effects(pair)
    assert_agreement(pair)
    assert pids(pair) == before


def test_a_restart_between_requests_is_nobodys_error(pair: Platform, desa: Iterator[str]) -> None:
    """The pool does not give out connections that the server has closed meanwhile."""
    for _ in range(4):
        for process in pair.of("registry"):
            assert register(process, next(desa)).status_code == 201
    pair.postgres.stop()
    pair.postgres.start()
    answers = [register(process, next(desa)).status_code for process in pair.of("registry")]
    assert answers == [201, 201]


def test_connections_broken_off_under_load(pair: Platform, desa: Iterator[str]) -> None:
    with Load(desa, pair.of("registry")) as load:
        for _ in range(5):
            load.wait_for(3)
            for proxy in pair.proxies.values():
                proxy.reset()
    assert load.statuses().keys() <= {201, 503}, load.but(201, 503)[:5]
    wait_for_effects(pair)
    assert_agreement(pair)
