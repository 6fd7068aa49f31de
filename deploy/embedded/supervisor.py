"""Starts the platform on one machine in order, watches it, stops it in order.

Start: lock, ports, PostgreSQL, NATS, databases, migrations and keys, the four processes, demonstration district, summary.
Stop: gateway, services, NATS, PostgreSQL. All of them end with this process, also when it is killed (processes.py).
"""

import time
from collections.abc import Callable, Sequence

from deploy.embedded.databases import SERVICES, ensure_databases
from deploy.embedded.lock import locked
from deploy.embedded.ports import check_ports
from deploy.embedded.problems import StartProblem
from deploy.embedded.processes import Child, tail
from deploy.embedded.servers import EmbeddedNats, EmbeddedPostgres
from deploy.embedded.services import (
    Surroundings,
    answers_ready,
    demonstration,
    preparation,
    services,
)
from deploy.embedded.settings import EmbeddedSettings
from deploy.embedded.signals import StopRequests
from deploy.embedded.summary import summary
from deploy.embedded.watch import Watched, keep_running

READY_SECONDS = 180.0
# A process drains its requests for ten seconds (KKB_DRAIN_SECONDS), then ends what it has in hand.
SERVICE_PATIENCE_SECONDS = 25.0


class _Stopped(Exception):
    """A stop was requested while starting."""


class Supervisor:
    """One run of the platform on `settings.data_dir`."""

    def __init__(self, settings: EmbeddedSettings, stop: StopRequests, lock: int) -> None:
        self._settings = settings
        self._stop = stop
        self._began = time.monotonic()
        self._held = (lock,)
        self._watched: list[Watched] = []
        self._stops: list[Callable[[], None]] = []  # in starting order

    def run(self) -> None:
        """Runs until a stop is requested.

        Raises:
            StartProblem: something did not start, or does not keep running; everything is stopped again.
        """
        try:
            surroundings = self._start_servers()
            self._prepare(surroundings)
            self._start_services(surroundings)
            self._load_demonstration(surroundings)
            print(f"Ready after {time.monotonic() - self._began:.1f} s; Ctrl-C stops everything.", flush=True)
            print(summary(surroundings.gateway_url, surroundings.admin_key_file), flush=True)
            keep_running(self._watched, self._stop)
        except _Stopped:
            pass
        finally:
            self._stop_all()

    def _start_servers(self) -> Surroundings:
        settings = self._settings
        check_ports(settings.port_uses())
        postgres = EmbeddedPostgres(settings.data_dir, settings.postgres_port, held_descriptors=self._held)
        for note in postgres.notes:
            self._say(note)
        self._start_server(postgres, f"PostgreSQL on 127.0.0.1:{settings.postgres_port}")
        nats = EmbeddedNats(settings.data_dir, settings.nats_port, held_descriptors=self._held)
        self._start_server(nats, f"NATS on 127.0.0.1:{settings.nats_port}")
        urls = ensure_databases(postgres, settings.data_dir / "secrets")
        return Surroundings(settings, urls, nats.url)

    def _start_server(self, server: EmbeddedPostgres | EmbeddedNats, name: str) -> None:
        self._stops.append(lambda: server.stop(hurry=self._stop.hurried))
        server.start(interrupted=self._stop.requested)
        self._raise_if_stopped()
        self._watched.append(Watched(server.child, lambda: server.start(interrupted=self._stop.requested)))
        self._say(f"{name} is ready.")

    def _prepare(self, surroundings: Surroundings) -> None:
        child = preparation(surroundings, self._held)
        self._run_to_its_end(child)
        if child.how_it_ended() != "exit code 0":
            raise StartProblem(
                f"The databases could not be migrated ({child.how_it_ended()}); {child.log} ends with:\n{tail(child.log)}"
            )
        self._say("The databases are migrated.")

    def _load_demonstration(self, surroundings: Surroundings) -> None:
        """On first start only: what people changed or removed later stays so. A failure does not keep the rest down."""
        loaded = self._settings.data_dir / "demonstration.loaded"
        if loaded.exists() or not self._settings.demonstration:
            return
        self._say("Loading the demonstration district ...")
        child = demonstration(surroundings, self._held)
        self._run_to_its_end(child)
        if child.how_it_ended() == "exit code 0":
            loaded.touch()
        else:
            self._say(
                f"The demonstration district could not be loaded; the next start tries again. {tail(child.log, 1)}"
            )

    def _run_to_its_end(self, child: Child) -> None:
        child.start()
        try:
            while child.running:
                self._stop.wait(1.0)
                self._raise_if_stopped()
        finally:
            child.stop(SERVICE_PATIENCE_SECONDS, self._stop.hurried)

    def _start_services(self, surroundings: Surroundings) -> None:
        children = services(surroundings, self._held)
        gateway = children["gateway"]
        others = [child for service, child in children.items() if service != "gateway"]
        self._stops.append(lambda: _stop_together(others, self._stop.hurried))
        self._stops.append(lambda: _stop_together([gateway], self._stop.hurried))
        for child in children.values():
            child.start()
        self._wait_until_ready(children)
        self._watched.extend(Watched(child, child.start) for child in children.values())

    def _wait_until_ready(self, children: dict[str, Child]) -> None:
        waiting = dict.fromkeys(SERVICES)
        give_up = time.monotonic() + READY_SECONDS
        while waiting:
            self._raise_if_stopped()
            for service in list(waiting):
                child = children[service]
                if not child.running:
                    raise StartProblem(
                        f"{service} ended while starting ({child.how_it_ended()}); {child.log} ends with:\n{tail(child.log)}"
                    )
                if answers_ready(getattr(self._settings, f"{service}_ops_port")):
                    del waiting[service]
                    self._say(f"{service} is ready.")
            if waiting and time.monotonic() > give_up:
                raise StartProblem(
                    f"Not ready within {READY_SECONDS:.0f} seconds: {', '.join(waiting)}; see {self._settings.data_dir / 'logs'}."
                )
            self._stop.wait(0.1)

    def _stop_all(self) -> None:
        if self._stops:
            self._say("Stopping ...")
        for stop in reversed(self._stops):
            stop()
        if self._stops:
            self._say("Everything has stopped.")

    def _say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._began:6.1f} s] {what}", flush=True)

    def _raise_if_stopped(self) -> None:
        if self._stop.requested():
            raise _Stopped


def run(settings: EmbeddedSettings) -> None:
    """Holds the data folder and runs the platform on it until a stop is requested."""
    with locked(settings.data_dir) as lock, StopRequests() as stop:
        Supervisor(settings, stop, lock).run()


def _stop_together(children: Sequence[Child], hurry: Callable[[], bool]) -> None:
    """Asks all of them first, so that they drain at the same time."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop(SERVICE_PATIENCE_SECONDS, hurry)
