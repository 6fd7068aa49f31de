"""A process killed at any point between a request and its effects leaves state and event both, or neither."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from kit.failpoints import Point
from kit.ids import uuid7
from tests.faults.facts import (
    assert_agreement,
    free_desa,
    register,
    unpublished,
    until,
    wait_until_settled,
)
from tests.faults.platform import Platform, Process, ServiceName, platform


@dataclass(frozen=True)
class Death:
    """Who dies where."""

    point: Point
    services: tuple[ServiceName, ...]
    kept: bool = True
    """Whether the village that the request registers is there afterwards."""
    answered: bool = True
    """Whether the request is answered."""

    def __str__(self) -> str:
        return f"{'+'.join(self.services)}-{self.point}"


DEATHS = [
    Death("after_flush", ("registry",), kept=False, answered=False),
    Death("before_commit", ("registry",), kept=False, answered=False),
    Death("after_commit", ("registry",), answered=False),
    Death("after_publish", ("registry",)),
    Death("after_flush", ("scoring", "interventions")),
    Death("before_commit", ("scoring", "interventions")),
    Death("after_commit", ("scoring", "interventions")),
    Death("before_ack", ("scoring", "interventions")),
    Death("after_ack", ("scoring", "interventions")),
    Death("after_publish", ("scoring",)),
]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One process of each service: nobody else takes over what it leaves behind."""
    with platform(tmp_path_factory.mktemp("alone")) as running:
        yield running


@pytest.fixture(scope="module")
def desa(alone: Platform) -> Iterator[str]:
    return free_desa(alone)


@pytest.mark.parametrize("death", DEATHS, ids=str)
def test_killed_at_a_point(alone: Platform, desa: Iterator[str], death: Death) -> None:
    code, key = next(desa), uuid7().hex
    registry = alone.processes["registry", 0]
    dying = [alone.processes[service, 0] for service in death.services]
    for process in dying:
        process.arm(death.point)
    first = answer_to(registry, code, key)
    for process in dying:
        until(lambda p=process: not p.alive, 20, f"{process.name} reaches {death.point}")
        assert process.how_it_ended() == "signal SIGKILL"
        process.disarm()
        process.start()
    for process in dying:
        process.wait_ready()

    kept = alone.sql("registry", f"SELECT id FROM villages WHERE region_code = '{code}'")
    told = alone.sql("registry", f"SELECT event_id FROM outbox WHERE region_code = '{code}'")
    assert (first is not None, bool(kept), bool(told)) == (death.answered, death.kept, death.kept)

    again = register(registry, code, key)
    assert again.status_code == 201, again.text
    assert ("Idempotency-Replayed" in again.headers) == death.kept
    assert first is None or again.json() == first.json()
    assert not kept or again.json()["id"] == kept[0][0]
    wait_until_settled(alone)
    assert unpublished(alone, "registry") == 0
    assert_agreement(alone)


def answer_to(registry: Process, code: str, key: str) -> httpx.Response | None:
    """The answer to a registration; None when the process dies over it."""
    try:
        answer = register(registry, code, key)
    except httpx.TransportError:
        return None
    assert answer.status_code == 201, answer.text
    return answer
