"""One platform for the tests of outages, pauses, draining and the relay: two processes of each service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.facts import free_desa
from tests.faults.platform import Platform, platform

REQUEST_SECONDS = 8
SILENT_SECONDS = 10
NOTICE_SECONDS = 1
_SETTINGS = {
    # a redelivery would come late enough to be noticed as a hole
    "KKB_EVENT_ACK_SECONDS": "30",
    # the first failure of an event that is counted against it makes it a dead letter
    "KKB_EVENT_ATTEMPTS": "1",
    "KKB_REQUEST_SECONDS": str(REQUEST_SECONDS),
    "KKB_DATABASE_TIMEOUT": str(SILENT_SECONDS),
    "KKB_DRAIN_NOTICE_SECONDS": str(NOTICE_SECONDS),
    "KKB_DRAIN_SECONDS": "3",
}


@pytest.fixture(scope="package")
def two_of_each(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("pair"), 2, through_proxies=True, environment=_SETTINGS) as running:
        yield running


@pytest.fixture(scope="package")
def all_desa(two_of_each: Platform) -> Iterator[str]:
    return free_desa(two_of_each)


@pytest.fixture
def pair(two_of_each: Platform) -> Iterator[Platform]:
    """Two processes of each service, all well before and after the test."""
    _all_well(two_of_each)
    try:
        yield two_of_each
    finally:
        _all_well(two_of_each)


@pytest.fixture
def desa(all_desa: Iterator[str]) -> Iterator[str]:
    return all_desa


def _all_well(running: Platform) -> None:
    for proxy in running.proxies.values():
        proxy.heal()
    for server in (running.postgres, running.nats):
        server.resume()
        server.start()
    for process in running.processes.values():
        process.resume()
        process.disarm()
        process.start()
    running.wait_ready()
