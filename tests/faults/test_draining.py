"""A process that is told to stop: nobody sees an error, the other goes on at once, and it ends whatever is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.facts import assert_agreement, register, until, wait_for_effects, wait_until_settled
from tests.faults.load import Load
from tests.faults.platform import SERVICES, Platform

AT_ONCE_SECONDS = 20.0
"""Less than KKB_EVENT_ACK_SECONDS, after which what a process had in hand would be delivered to another anyway."""
END_SECONDS = 30.0

AWAY: dict[str, tuple[Callable[[Platform], None], ...]] = {
    "servers-away": (lambda pair: pair.nats.stop(), lambda pair: pair.postgres.stop()),
    "servers-paused": (lambda pair: pair.nats.pause(), lambda pair: pair.postgres.pause()),
}


def test_each_process_in_turn_under_load(pair: Platform, desa: Iterator[str]) -> None:
    """As when a new version is rolled out: no client of the others sees an error, no event waits for a redelivery."""
    for service in SERVICES:
        leaving, staying = pair.of(service)
        with Load(desa, [pair.processes["registry", 1]]) as load:
            load.wait_for(6)
            assert leaving.stop(END_SECONDS) == 0
            load.wait_for(6)
            until(lambda p=staying: p.metric("kkb_outbox_relay_leader") == 1, AT_ONCE_SECONDS, f"{staying.name} leads")
        assert load.statuses().keys() == {201}, load.but(201)[:5]
        wait_until_settled(pair, AT_ONCE_SECONDS)
        leaving.start()
    assert_agreement(pair)


def test_readiness_drops_before_requests_are_refused(pair: Platform, desa: Iterator[str]) -> None:
    """So whoever sends requests only to processes that say they are ready sees no error, as a load balancer does."""
    leaving, staying = pair.of("registry")
    statuses, told = [], False
    with Load(desa, [staying], clients=1):
        while leaving.ready():
            statuses.append(register(leaving, next(desa)).status_code)
            if not told and len(statuses) > 3:
                leaving.terminate()
                told = True
        says = leaving.readyz().json()
        late = register(leaving, next(desa))
        assert leaving.wait(END_SECONDS) == 0
    assert set(statuses) == {201}
    assert says["draining"] is True
    assert says["needs"] == dict.fromkeys(says["needs"], "ok")
    assert late.status_code == 201, "still taken, for whoever has not read it yet"
    wait_until_settled(pair, AT_ONCE_SECONDS)
    assert_agreement(pair)


@pytest.mark.parametrize("faults", AWAY.values(), ids=AWAY)
def test_it_ends_whatever_is_away(
    pair: Platform, desa: Iterator[str], faults: tuple[Callable[[Platform], None], ...]
) -> None:
    """In the middle of requests and events, one process of each service."""
    leaving = [pair.processes[service, 0] for service in SERVICES]
    with Load(desa, pair.of("registry"), clients=4) as load:
        load.wait_for(4)
        for fault in faults:
            fault(pair)
        for process in leaving:
            process.terminate()
        assert [process.wait(END_SECONDS) for process in leaving] == [0, 0, 0]
        pair.postgres.resume()
        pair.nats.resume()
    for server in (pair.postgres, pair.nats):
        server.start()
    for process in leaving:
        process.start()
    pair.wait_ready()
    wait_for_effects(pair)
    assert_agreement(pair)


def test_told_again_and_killed_in_the_middle(pair: Platform, desa: Iterator[str]) -> None:
    twice, killed = pair.of("registry")
    with Load(desa, [twice, killed]) as load:
        load.wait_for(4)
        for process in (twice, killed):
            process.terminate()
        time.sleep(0.2)
        twice.terminate()
        killed.kill()
        assert twice.wait(END_SECONDS) == 0
    assert killed.how_it_ended() == "signal SIGKILL"
    for process in (twice, killed):
        process.start()
        process.wait_ready()
    wait_for_effects(pair)
    assert_agreement(pair)
