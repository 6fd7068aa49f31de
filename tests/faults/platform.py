"""The services as real processes on servers of their own, to be killed, paused and cut off by tests.

with platform(folder, replicas=2) as running:
    registry = running.processes["registry", 0]
    registry.arm("after_commit")
    httpx.post(f"{registry.url}/villages", ...)      # the process dies
    registry.disarm()
    registry.start()
    registry.wait_ready()

May be used from any thread. Whatever the test does, all of it ends with the block, and with the test process.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import httpx

from deploy.embedded.ports import free_port
from deploy.embedded.processes import Child, tail
from deploy.embedded.servers import EmbeddedNats, EmbeddedPostgres
from deploy.embedded.throwaway import ThrowawayServers, throwaway_servers
from kit import API
from kit.failpoints import Point
from kit.identity import public_pem
from tests.callers import SIGNING_KEY
from tests.faults.forked import ForkedChild
from tests.faults.proxy import FaultProxy

ServiceName = Literal["registry", "interventions", "scoring"]
ServerName = Literal["postgres", "nats"]

REPOSITORY = Path(__file__).parents[2]
SERVICES: tuple[ServiceName, ...] = ("registry", "interventions", "scoring")
QUICK = {
    "KKB_EVENT_ACK_SECONDS": "2",
    "KKB_EVENT_RETRY_SECONDS": "0.2",
    "KKB_DRAIN_SECONDS": "5",
    "KKB_DATABASE_POOL": "5",
}
"""Settings under which faults are over sooner than in production."""
STOP_SECONDS = 40.0
"""A process that takes longer to stop hangs."""

HTTP = httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0))  # noqa: S501 - there is no TLS
"""For single requests: a client of httpx takes longer to make than a request. Keeps no connection, for processes end."""

_POLL_SECONDS = 0.2
_SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)


@dataclass
class Process:
    """One process of a service."""

    service: ServiceName
    number: int
    port: int
    ops_port: int
    module: str
    environment: Mapping[str, str]
    folder: Path
    forked: bool
    _starter: ThreadPoolExecutor
    _child: Child | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{API}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """Whether it runs, also when it is paused."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        assert self._child is not None
        assert self._child.process is not None
        return self._child.process.pid

    def start(self, module: str | None = None) -> None:
        """Start it, if it does not run; from now on as `python -m MODULE SERVICE` if a module is named."""
        if self.alive:
            return
        self.module = module or self.module
        self._child = (ForkedChild if self.forked else Child)(
            self.name,
            [sys.executable, "-m", self.module, self.service],
            self.log,
            # the last signal it gets when the tests end: one that a paused process obeys too
            stop_signals=(signal.SIGKILL,),
            environment=self.environment,
            working_directory=REPOSITORY,
        )
        self._starter.submit(self._child.start).result()

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it says that it is ready; fail when it ends or never is."""
        give_up = time.monotonic() + seconds
        while not self.ready():
            assert self.alive, f"{self.name} ended ({self.how_it_ended()}):\n{tail(self.log)}"
            assert time.monotonic() < give_up, f"{self.name} is not ready after {seconds} s:\n{tail(self.log)}"
            time.sleep(_POLL_SECONDS)

    def ready(self) -> bool:
        """Whether it says that it is ready; False too when it does not answer."""
        try:
            return self.readyz().status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def readyz(self, seconds: float = 10.0) -> httpx.Response:
        """What it says of its readiness."""
        return HTTP.get(f"{self.ops_url}/readyz", timeout=seconds)

    def livez(self, seconds: float = 10.0) -> httpx.Response:
        """What it says of its life."""
        return HTTP.get(f"{self.ops_url}/livez", timeout=seconds)

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the samples of this name that have these labels; 0 when there is none."""
        text = HTTP.get(f"{self.ops_url}/metrics", timeout=10).text
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        samples = (s for s in _SAMPLE.finditer(text) if s["name"] == name)
        return sum(float(s["value"]) for s in samples if wanted <= set((s["labels"] or "").split(",")))

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._child is not None:
            self._child.stop(STOP_SECONDS)

    def terminate(self) -> None:
        """SIGTERM; does not wait."""
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait until it has ended by itself; its exit code (-9 if it was killed)."""
        assert self._child is not None
        assert self._child.process is not None
        give_up = time.monotonic() + seconds
        while (code := self._child.process.poll()) is None:
            assert time.monotonic() < give_up, f"{self.name} still runs after {seconds} s:\n{tail(self.log)}"
            time.sleep(0.02)
        return code

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM, and wait for the end; the exit code."""
        self.terminate()
        return self.wait(seconds)

    def pause(self) -> None:
        """SIGSTOP: it keeps its memory, connections and locks, and does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def how_it_ended(self) -> str:
        """`exit code 0`, `signal SIGKILL`; empty while it runs."""
        return self._child.how_it_ended() if self._child is not None else "never started"

    def arm(self, point: Point, times: int = 1) -> None:
        """Let it die when it reaches a fail-point for the given time."""
        unfinished = self._failpoints.with_suffix(".new")
        unfinished.write_text(f"{point} {times}")
        unfinished.replace(self._failpoints)

    def disarm(self) -> None:
        """Let it live."""
        self._failpoints.unlink(missing_ok=True)

    @property
    def _failpoints(self) -> Path:
        return Path(self.environment["KKB_FAILPOINTS_FILE"])

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.process is not None and self.alive:
            self._child.process.send_signal(number)


@dataclass(frozen=True)
class Server:
    """PostgreSQL or NATS, which tests stop, kill and pause."""

    server: EmbeddedPostgres | EmbeddedNats
    _starter: ThreadPoolExecutor

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self.resume()
        self.server.stop(STOP_SECONDS)

    def start(self) -> None:
        """Start it, if it does not run, and wait until it takes connections."""
        if not self.server.child.running:
            self._starter.submit(self.server.start, STOP_SECONDS).result()

    def kill(self) -> None:
        """SIGKILL, children too; returns when all of it is gone."""
        family = self._family()
        self._to_all(signal.SIGKILL)
        self.server.child.stop(STOP_SECONDS)
        while any(Path("/proc", str(pid)).exists() for pid in family):
            time.sleep(0.01)

    def pause(self) -> None:
        """SIGSTOP, children too: connections stay open, nobody answers."""
        self._to_all(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._to_all(signal.SIGCONT)

    def _to_all(self, number: signal.Signals) -> None:
        """The parent first, which then makes no more children."""
        process = self.server.child.process
        if process is not None and self.server.child.running:
            process.send_signal(number)
            for pid in self._family()[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _family(self) -> list[int]:
        """The server's pid and those of its children: every backend of PostgreSQL is a session of its own."""
        process = self.server.child.process
        assert process is not None
        return [process.pid, *(pid for pid, parent in _parents() if parent == process.pid)]


def _parents() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])


@dataclass
class Platform:
    """What runs."""

    processes: dict[tuple[ServiceName, int], Process]
    postgres: Server
    nats: Server
    proxies: dict[tuple[ServiceName, ServerName], FaultProxy]
    """Between a service's processes and its servers; empty unless asked for."""
    folder: Path
    _servers: ThrowawayServers
    _database_urls: dict[ServiceName, str]
    _add: Callable[..., Process]

    @property
    def nats_url(self) -> str:
        """The server itself, past the proxies."""
        return self._servers.nats_url

    def database_url(self, service: ServiceName) -> str:
        """SQLAlchemy's address of a service's database, past the proxies."""
        return self._database_urls[service]

    def of(self, service: ServiceName) -> list[Process]:
        """The processes of a service."""
        return [process for (name, _), process in self.processes.items() if name == service]

    def add(self, service: ServiceName, **environment: str) -> Process:
        """One more process of a service, with settings of its own; not started yet."""
        return self._add(service, environment)

    def sql(self, service: ServiceName, script: str) -> list[list[str]]:
        """Rows of a psql script on a service's database, as superuser."""
        postgres = self._servers.postgres
        lines = postgres.sql(script, self.database_url(service).rpartition("/")[2]).splitlines()
        return [line.split("|") for line in lines]

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until all processes are ready."""
        for process in self.processes.values():
            process.wait_ready(seconds)


@contextmanager
def platform(
    folder: Path,
    replicas: int = 1,
    *,
    through_proxies: bool = False,
    environment: Mapping[str, str] | None = None,
    module: str | None = None,
    forked: bool = True,
) -> Iterator[Platform]:
    """Start PostgreSQL, NATS and the three services, and wait until they are ready.

    Args:
        folder: logs, fail-points and the public key of the tests' callers (tests/callers.py).
        replicas: processes of each service.
        through_proxies: put a fault proxy between each service and each server.
        environment: settings on top of QUICK.
        module: what is started instead of `services.NAME`: `python -m MODULE NAME`.
        forked: from a process that has imported the services already (forked.py); not for what must come before that.
    """
    with ExitStack() as stack:
        # children get their last signal when the *thread* that started them ends: this one stays till the end
        starter = stack.enter_context(ThreadPoolExecutor(1, "starter"))
        servers = _enter(stack, starter)
        running = _put_together(stack, starter, servers, folder, through_proxies, environment or {}, module, forked)
        for service in SERVICES:
            for _ in range(replicas):
                running.add(service)
        for process in running.processes.values():
            process.start()
        running.wait_ready()
        yield running


def _enter(stack: ExitStack, starter: ThreadPoolExecutor) -> ThrowawayServers:
    manager = throwaway_servers(prepared=True)
    servers = starter.submit(manager.__enter__).result()
    stack.callback(lambda: starter.submit(manager.__exit__, None, None, None).result())
    return servers


def _put_together(
    stack: ExitStack,
    starter: ThreadPoolExecutor,
    servers: ThrowawayServers,
    folder: Path,
    through_proxies: bool,
    environment: Mapping[str, str],
    module: str | None,
    forked: bool,
) -> Platform:
    key = folder / "identity.pub"
    key.write_bytes(public_pem(SIGNING_KEY.public_key()))
    with ThreadPoolExecutor(len(SERVICES)) as side_by_side:
        urls = dict(zip(SERVICES, side_by_side.map(servers.fresh_database, SERVICES), strict=True))
    proxies: dict[tuple[ServiceName, ServerName], FaultProxy] = {}
    if through_proxies:
        for service in SERVICES:
            for server, port in (("postgres", servers.postgres.port), ("nats", servers.nats.port)):
                proxies[service, server] = stack.enter_context(FaultProxy("127.0.0.1", port))
    processes: dict[tuple[ServiceName, int], Process] = {}
    postgres, nats = Server(servers.postgres, starter), Server(servers.nats, starter)

    def add(service: ServiceName, more: Mapping[str, str]) -> Process:
        number = sum(name == service for name, _ in processes)
        port, ops_port = free_port(), free_port()
        database = _through(urls[service], proxies.get((service, "postgres")))
        own = {
            "KKB_PORT": str(port),
            "KKB_OPS_PORT": str(ops_port),
            "KKB_DATABASE_URL": database,
            "KKB_NATS_URL": _through(servers.nats_url, proxies.get((service, "nats"))),
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(key),
            "KKB_FAILPOINTS_FILE": str(folder / f"failpoint-{service}-{number}"),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KKB_")}
        process = Process(
            service,
            number,
            port,
            ops_port,
            module or f"services.{service}",
            {**inherited, **own, **QUICK, **environment, **more},
            folder,
            forked,
            starter,
        )
        processes[service, number] = process
        stack.callback(process.kill)
        return process

    stack.callback(_resume_all, postgres, nats)
    return Platform(processes, postgres, nats, proxies, folder, servers, urls, add)


def _resume_all(*servers: Server) -> None:
    for server in servers:
        server.resume()


def _through(url: str, proxy: FaultProxy | None) -> str:
    """The address of a server, or of the proxy before it."""
    if proxy is None:
        return url
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
