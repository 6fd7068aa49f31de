# ruff: noqa: T201 - a command that people read
"""One run of the history checker: load and faults for a while, then all is healed and must add up.

.venv/bin/python -m tests.faults.history.run --seconds 600 [--seed 4711]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import nats

from tests.faults.history.checker import Violation, check
from tests.faults.history.clients import Board, Client
from tests.faults.history.evidence import STREAM_OF, Evidence, gather
from tests.faults.history.follow import Follower, ask_platform
from tests.faults.history.nemesis import Lane, Nemesis, Plan, heal, plans
from tests.faults.history.quiet import wait_until_quiet
from tests.faults.history.record import History
from tests.faults.platform import SERVICES, Platform, platform

TELLING = "tests.faults.telling"
REPLICAS = 2
CLIENTS = 10
ROUND_SECONDS = 100.0
QUIET_SECONDS = 120.0
LANES: tuple[Lane, ...] = ("processes", "surroundings")
_SHOWN = 40
_PATIENT_SECONDS = 25.0
_WINDOW_SECONDS = 0.1
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'kkb%';"
"""A session keeps the settings that it began with."""


@dataclass
class Outcome:
    """What a run found."""

    seed: str
    seconds: float
    history: History
    evidence: Evidence = field(default_factory=Evidence)
    violations: list[Violation] = field(default_factory=list)

    def of(self, *checks: str) -> list[Violation]:
        """The violations of some checks."""
        return [violation for violation in self.violations if violation.check in checks]

    def report(self) -> str:
        """What a person reads: the figures, and every violation with the operations it concerns."""
        lines = [f"seed {self.seed}: {self.seconds:.0f} s under load, {len(self.history.operations)} operations"]
        for action, outcomes in sorted(self.history.outcomes().items()):
            counted = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
            lines.append(f"  {action:<18} {counted}")
        faults = Counter(fault.kind for fault in self.history.faults)
        lines.append(f"faults: {sum(faults.values())}")
        lines += [f"  {kind:<18} {number}" for kind, number in sorted(faults.items())]
        died = Counter(fault.note for fault in self.history.faults if fault.kind == "fail-point")
        lines += [f"    {note:<34} {number}" for note, number in sorted(died.items())]
        for service, traffic in self.evidence.traffic.items():
            repeated = len(traffic.stream) - len({message["id"] for message in traffic.stream})
            lines.append(f"{service}: {len(traffic.outbox)} events, {repeated} of them twice on the stream")
        if not self.violations:
            return "\n".join([*lines, "no violations"])
        kinds = Counter(violation.check for violation in self.violations)
        lines.append(f"VIOLATIONS: {len(self.violations)} (seed {self.seed}): {dict(kinds)}")
        for violation in self.violations[:_SHOWN]:
            lines.append(f"  [{violation.check}] {violation.what}")
            lines += [f"      {self._told(name)}" for name in violation.operations[:4]]
        if len(self.violations) > _SHOWN:
            lines.append(f"  ... and {len(self.violations) - _SHOWN} more in the report file")
        return "\n".join(lines)

    def _told(self, name: str) -> str:
        operation = self.history.operations.get(name)
        if operation is None:
            return f"{name}: not an operation of this run"
        ends = ", ".join(
            f"{attempt.invoked}-{attempt.completed} replica {attempt.replica}: {attempt.status or attempt.error}"
            for attempt in operation.attempts
        )
        return f"{name}: {operation.method} {operation.path} If-Match {operation.if_match} [{ends}]"


class Run:
    """A platform under load and faults, in rounds: each ends whole, quiet and checked."""

    def __init__(
        self,
        running: Platform,
        seed: str,
        folder: Path,
        lanes: Mapping[Lane, Iterator[Plan]],
        clients: int = CLIENTS,
    ) -> None:
        self.platform = running
        self.seed = seed
        self.folder = folder
        self.history = History(seed, folder / "history.jsonl")
        self.lanes = lanes
        self.nemesis = Nemesis(running, self.history, lanes)
        self.http = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=4 * clients))
        board = Board()
        self.urls = {service: [process.url for process in running.of(service)] for service in SERVICES}
        self.clients = [Client(n, self.history, board, self.urls, self.http) for n in range(1, clients + 1)]
        self.followers = [Follower(service, self.urls[service], self.http) for service in SERVICES]
        self.seconds = 0.0

    async def round(self, seconds: float, *, faults: bool = True) -> Outcome:
        """Load and faults for so long; then everything is healed, quiet and compared.

        Without faults clients are patient, so that nothing but a slow machine leaves an outcome unknown.
        """
        for client in self.clients:
            client.least_patience = 0.0 if faults else _PATIENT_SECONDS
        ending, breaking = asyncio.Event(), asyncio.Event()
        asking = [asyncio.create_task(client.run(self.seed, ending)) for client in self.clients]
        asking += [asyncio.create_task(follower.run(ending)) for follower in self.followers]
        lanes = self.lanes if faults else {}
        breaks = [asyncio.create_task(self.nemesis.run(lane, breaking)) for lane in lanes]
        began = time.monotonic()
        await asyncio.wait([*asking, *breaks], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        breaking.set()
        await asyncio.gather(*breaks)
        await asyncio.to_thread(heal, self.platform)
        ending.set()
        await asyncio.gather(*asking)
        self.seconds += time.monotonic() - began
        return await self._compare()

    async def _compare(self) -> Outcome:
        urls = {service: self.platform.database_url(service) for service in SERVICES}
        self.history.note("healed")
        evidence = await self._quiet_evidence(urls)
        for follower in self.followers:
            await follower.catch_up()
            traffic = evidence.traffic[follower.service]
            traffic.followed, traffic.refusals = follower.items, follower.refusals
        await ask_platform(evidence, self.urls, self.http)
        evidence.unquiet += await asyncio.to_thread(self._not_alive)
        violations = await asyncio.to_thread(check, self.history, evidence)
        if violations:
            self._let_tell()
        outcome = Outcome(self.seed, self.seconds, self.history, evidence, violations)
        (self.folder / "report.txt").write_text(outcome.report() + "\n")
        return outcome

    def _not_alive(self) -> list[str]:
        """Processes that say that they cannot recover, such as one whose relay has ended; the others may cover it up."""
        answers = {process.name: process.livez() for process in self.platform.processes.values()}
        return [f"{name}: {answer.text}" for name, answer in answers.items() if answer.status_code != httpx.codes.OK]

    def _let_tell(self) -> None:
        """Let every process write into its log where its tasks are."""
        for process in self.platform.processes.values():
            if process.module == TELLING:
                os.kill(process.pid, signal.SIGUSR1)

    async def _quiet_evidence(self, urls: Mapping[str, str]) -> Evidence:
        deadline = time.monotonic() + QUIET_SECONDS
        while True:
            left = max(1.0, deadline - time.monotonic())
            unquiet = await wait_until_quiet(urls, self.platform.nats_url, left)
            evidence = await gather(urls, self.platform.nats_url)
            evidence.unquiet = unquiet
            # what a stream has lost is sent again by and by, and then taken again
            lost = any(traffic.missing_on_stream for traffic in evidence.traffic.values())
            if not lost or unquiet or time.monotonic() > deadline:
                return evidence
            await asyncio.sleep(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()
        self.history.close()


async def make_harder(running: Platform) -> None:
    """Settings under which a promise rests on the platform alone.

    Throw-away servers forget the last commits when killed; these must keep what they acknowledged. Streams forget at
    once which events they hold, so that what the relay sends again does arrive again.
    """
    for service in SERVICES:
        running.sql(service, f"ALTER ROLE kkb_{service} SET synchronous_commit = on;")
    running.sql("registry", _END_SESSIONS)
    client = await nats.connect(running.nats_url)
    for stream in STREAM_OF.values():
        config = (await client.jetstream().stream_info(stream)).config
        await client.jetstream().update_stream(replace(config, duplicate_window=_WINDOW_SECONDS))
    await client.close()


async def run(running: Platform, seed: str, seconds: float, folder: Path, replicas: int = REPLICAS) -> Outcome:
    """Rounds until the time is over or something is wrong."""
    await make_harder(running)
    async with Run(running, seed, folder, {lane: plans(seed, lane, replicas) for lane in LANES}) as one:
        while True:
            outcome = await one.round(min(ROUND_SECONDS, seconds - one.seconds))
            if outcome.violations or one.seconds + 5 > seconds:
                return outcome
            print(f"{one.seconds:.0f} s, {len(one.history.operations)} operations: all adds up", flush=True)


def main() -> int:
    """Run from the command line; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description="The history checker under faults")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", default="")
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    chosen = parser.parse_args()
    seed = chosen.seed or str(secrets.randbelow(10**9))
    folder = Path(tempfile.mkdtemp(prefix="kkb-faults-"))
    print(f"seed {seed}, {chosen.seconds:.0f} s; logs, history and report in {folder}", flush=True)
    with platform(folder, chosen.replicas, through_proxies=True, module=TELLING) as running:
        outcome = asyncio.run(run(running, seed, chosen.seconds, folder, chosen.replicas))
    print(outcome.report())
    if not outcome.violations:
        shutil.rmtree(folder)
        return 0
    print(f"kept: {folder}; replay with SEED={seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
