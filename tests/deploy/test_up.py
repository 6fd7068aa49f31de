"""`python -m deploy.up` as a person runs it: the whole platform on ports of its own, twice on the same data."""

import http.client
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.embedded.databases import SERVICES
from deploy.embedded.lock import locked
from deploy.embedded.ports import free_port
from deploy.embedded.services import answers_ready
from deploy.embedded.settings import EmbeddedSettings

START_SECONDS = 300
DEMONSTRATION = "285 villages, simulated: 244 dasar, 22 berkembang, 7 mandiri, 12 berkelanjutan"


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)


def ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@dataclass
class Run:
    """One start of the platform; its output goes to a file, there is no terminal."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        until(lambda: "Administrator's key" in self.said or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.said

    def children(self) -> list[int]:
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]


@dataclass
class Platform:
    """A data folder and a set of free ports."""

    folder: Path
    ports: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [name for name in EmbeddedSettings.model_fields if name.endswith("_port")]
        while len(set(self.ports.values())) < len(names):
            self.ports = {f"KKB_{name.upper()}": str(free_port()) for name in names}

    def start(self, **settings: str) -> Run:
        output = self.folder / f"run-{len(self.runs)}.out"
        environment = {**os.environ, **self.ports, "KKB_DATA_DIR": str(self.folder / "data"), **settings}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "deploy.up"], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
            )
        self.runs.append(Run(process, output))
        return self.runs[-1]

    def get(self, path: str, key: str | None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", int(self.ports["KKB_GATEWAY_PORT"]), timeout=30)
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        status = connection.getresponse().status
        connection.close()
        return status

    @property
    def key_file(self) -> Path:
        return self.folder / "data" / "secrets" / "admin.key"


@pytest.fixture
def platform(open_folder: Path) -> Iterator[Platform]:
    platform = Platform(open_folder)
    yield platform
    for run in platform.runs:
        run.process.kill()
        run.process.wait()
    # What was killed ends its children; the folder can go when the last of them has let go of the lock.
    with locked(platform.folder / "data", patience=60):
        pass


class TestUp:
    def test_failed_start_first_start_stop_and_second_start(self, platform: Platform) -> None:
        broken = platform.start(KKB_DATABASE_POOL="1")  # below what a process accepts
        assert broken.process.wait(START_SECONDS) == 1
        assert re.search(
            r"^\w+ ended while starting \(exit code 1\); .*\.log ends with:\n(.*\n)*.*database_pool",
            broken.said,
            re.MULTILINE,
        )
        assert broken.said.index("Everything has stopped.") < broken.said.index("ended while starting")

        first = platform.start()
        first.wait_until_ready()
        assert DEMONSTRATION in first.said
        assert re.search(
            r"^Determination .* 2024-07, 285 villages, decree .*SIMULASI.*, simulated", first.said, re.MULTILINE
        )
        key = platform.key_file.read_text().strip()
        assert stat.S_IMODE(platform.key_file.stat().st_mode) == 0o600
        assert platform.get("/api/v1/villages?region=33.26", key) == 200
        assert platform.get("/api/v1/villages?region=33.26", None) == 401
        assert platform.get("/docs", None) == 200
        assert all(answers_ready(int(platform.ports[f"KKB_{name.upper()}_OPS_PORT"])) for name in SERVICES)

        children = first.children()
        assert len(children) == 6
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(120) == 0, first.said
        assert all(ended(pid) for pid in children)
        logs = platform.folder / "data" / "logs"
        assert "database system is shut down" in (logs / "postgres.log").read_text()
        assert "Server Exiting" in (logs / "nats.log").read_text()

        second = platform.start()
        second.wait_until_ready()
        assert DEMONSTRATION in second.said
        assert platform.key_file.read_text().strip() == key
        assert platform.get("/api/v1/villages?region=33.26", key) == 200

        children = second.children()
        second.process.kill()
        second.process.wait()
        until(lambda: all(ended(pid) for pid in children))

    def test_a_taken_port_is_one_line_and_nothing_is_started(self, platform: Platform) -> None:
        run = platform.start(KKB_SCORING_PORT=platform.ports["KKB_NATS_PORT"])
        assert run.process.wait(60) == 1
        port = platform.ports["KKB_NATS_PORT"]
        assert re.fullmatch(rf"Port {port} is wanted twice: .*KKB_NATS_PORT.*KKB_SCORING_PORT.*\n", run.said)
        assert not (platform.folder / "data" / "postgres").exists()
