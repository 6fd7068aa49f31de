"""Clients and faults for a while, then everything must add up; and the checker must find services that make mistakes.

KKB_FAULT_SEED chooses another seed than the usual one. The long version is `make test-faults`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kit.failpoints import Point
from tests.faults import bypassing
from tests.faults.history.nemesis import Plan, plans
from tests.faults.history.run import TELLING, Outcome, Run, run
from tests.faults.platform import ServiceName, platform

SEED = os.environ.get("KKB_FAULT_SEED", "20260")
SECONDS = 30.0
CLEAN_SECONDS, BROKEN_SECONDS = 3.0, 7.0
ROUNDS = 5
MISTAKEN = "tests.faults.bypassing"


async def test_everything_adds_up_whatever_breaks(tmp_path: Path) -> None:
    with platform(tmp_path, 2, through_proxies=True, module=TELLING) as running:
        outcome = await run(running, SEED, SECONDS, tmp_path)
    assert not outcome.violations, outcome.report()
    assert outcome.history.faults
    assert len(outcome.evidence.reports) > 10, outcome.report()


def kills(service: ServiceName, point: Point) -> Iterator[Plan]:
    """One fault only: the service dies at a point, again and again."""
    for plan in plans(SEED, "processes", 1):
        yield replace(plan, wait=0.5, seconds=0.3, kind="fail-point", service=service, point=point, times=1)


async def until_found(one: Run, *checks: str, faults: bool = True) -> Outcome:
    """Rounds until the checker finds something of the given kinds."""
    for last in itertools.count(1):
        outcome = await one.round(BROKEN_SECONDS if faults else CLEAN_SECONDS, faults=faults)
        if outcome.of(*checks) or last == ROUNDS:
            return outcome
    raise AssertionError


async def test_it_finds_events_published_after_the_commit(tmp_path: Path) -> None:
    mistakes = {bypassing.SETTING: "registry=publish-after-commit"}
    with platform(tmp_path, module=MISTAKEN, environment=mistakes, forked=False) as running:
        async with Run(running, SEED, tmp_path, {"processes": kills("registry", "after_commit")}) as one:
            before = await one.round(CLEAN_SECONDS, faults=False)
            assert before.of("event"), "there is no outbox, and nobody missed it"
            assert not before.of("projection", "class"), before.report()
            after = await until_found(one, "projection", "class")
    assert after.of("projection"), after.report()


async def test_it_finds_what_was_acknowledged_before_it_was_done_and_what_was_done_twice(tmp_path: Path) -> None:
    mistakes = {bypassing.SETTING: "scoring=acknowledge-first interventions=forget-keys"}
    with platform(tmp_path, module=MISTAKEN, environment=mistakes, forked=False) as running:
        async with Run(running, SEED, tmp_path, {"processes": kills("scoring", "before_commit")}) as one:
            before = await until_found(one, "doubled", faults=False)
            assert before.of("doubled"), before.report()
            assert not before.of("inbox", "projection", "unquiet"), before.report()
            after = await until_found(one, "inbox")
    assert after.of("inbox"), after.report()
    assert {"scoring"} == {violation.what.partition("-")[0] for violation in after.of("inbox")}
