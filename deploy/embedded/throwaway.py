"""The same two servers for tests and benchmarks: a temporary folder, free ports, no fsync, gone afterwards.

with throwaway_servers() as servers:
    url = servers.fresh_database("registry")   # a copy of the migrated template, some tens of milliseconds
    servers.nats_url
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from deploy.embedded.databases import SERVICES, ensure_roles
from deploy.embedded.ports import free_port
from deploy.embedded.problems import StartProblem
from deploy.embedded.servers import EmbeddedNats, EmbeddedPostgres
from deploy.embedded.settings import CHECKOUT

_PREFIX = "kkb-throwaway-"
_SHARED = "KKB_THROWAWAY_PREPARED"
"""Variable that names the folder in which several processes have one prepared cluster."""
_DEADLINE_SECONDS = 60.0
_STOP_PATIENCE_SECONDS = 10.0


@dataclass
class ThrowawayServers:
    """Running servers; `postgres` and `nats` can be stopped and started again by fault tests."""

    folder: Path
    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    passwords: Mapping[str, str]
    _prepared: set[str] = field(default_factory=set)
    """Services whose templates are there."""
    _made: int = 0

    @property
    def nats_url(self) -> str:
        return self.nats.url

    def empty_database(self, service: str) -> str:
        """A new database without tables, owned by the service's own role; returns its SQLAlchemy address."""
        name = self._new_name(service)
        self.postgres.sql(f"CREATE DATABASE {name} OWNER kkb_{service};")
        return self._url(service, name)

    def fresh_database(self, service: str) -> str:
        """A new database with the service's migrations applied; returns its SQLAlchemy address.

        The first call for a service runs `python -m kit.migrate SERVICE` on a template; every call copies it.
        """
        template = self.template(service)
        name = self._new_name(service)
        # FILE_COPY needs two checkpoints and then copies files: with fsync off both are nearly free.
        self.postgres.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER kkb_{service} STRATEGY FILE_COPY;")
        return self._url(service, name)

    def drop_database(self, url: str) -> None:
        """Removes a database made here, also when connections are still open."""
        self.postgres.sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE);")

    def template(self, service: str) -> str:
        """Name of the service's migrated database that the others are copies of; made by the first call."""
        template = f"kkb_{service}_template"
        if service not in self._prepared:
            self.postgres.sql(f"DROP DATABASE IF EXISTS {template};")
            self.postgres.sql(f"CREATE DATABASE {template} OWNER kkb_{service};")
            self._migrate(service, self._url(service, template))
            self._prepared.add(service)
        return template

    def _migrate(self, service: str, url: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "kit.migrate", service],
            cwd=CHECKOUT,
            env={**os.environ, "KKB_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StartProblem(f"The migrations of {service} failed:\n{done.stdout}{done.stderr}")

    def _new_name(self, service: str) -> str:
        self._made += 1
        return f"kkb_{service}_{self._made}"

    def _url(self, service: str, database: str) -> str:
        return self.postgres.url(f"kkb_{service}", self.passwords[service], database)


@contextmanager
def throwaway_servers(*, prepared: bool = False) -> Iterator[ThrowawayServers]:
    """Both servers, started in about a second; stopped and removed at the end, also when the body fails.

    If this process is killed, the servers end with it (see processes.py) and the next call removes the folder.

    Args:
        prepared: with the templates of all services. The first call in a process migrates them (ten seconds), every
            further one copies what the first has made (half a second).
    """
    with _folder() as (folder, lock), ExitStack() as stack:
        postgres = EmbeddedPostgres(folder, free_port(), durable=False, held_descriptors=(lock,))
        if prepared:
            postgres.adopt(_prepared_cluster().home)
        nats = EmbeddedNats(folder, free_port(), durable=False, held_descriptors=(lock,))
        for server in (postgres, nats):
            stack.callback(server.stop, _STOP_PATIENCE_SECONDS)
            server.start(_DEADLINE_SECONDS)
        passwords = ensure_roles(postgres, folder / "secrets")
        yield ThrowawayServers(folder, postgres, nats, passwords, set(SERVICES) if prepared else set())


_preparing = threading.Lock()


def _prepared_cluster() -> EmbeddedPostgres:
    """A stopped PostgreSQL with the templates of all services, made once; it lies there until this process ends."""
    with _preparing:
        return _prepare()


@contextmanager
def one_prepared_cluster() -> Iterator[None]:
    """Let the processes that are started within share what the first of them prepares."""
    with _folder() as (folder, _):
        os.environ[_SHARED] = str(folder)
        try:
            yield
        finally:
            del os.environ[_SHARED]


@cache
def _prepare() -> EmbeddedPostgres:
    if _SHARED not in os.environ:
        kept = ExitStack()
        folder, _ = kept.enter_context(_folder())
        atexit.register(kept.close)
        return _prepare_in(folder)
    folder = Path(os.environ[_SHARED])
    with (folder / "preparing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        done = folder / "prepared"
        if done.exists():
            return EmbeddedPostgres(folder, free_port(), durable=False)
        postgres = _prepare_in(folder)
        done.touch()
        return postgres


def _prepare_in(folder: Path) -> EmbeddedPostgres:
    postgres = EmbeddedPostgres(folder, free_port(), durable=False)
    try:
        postgres.start(_DEADLINE_SECONDS)
        nats = EmbeddedNats(folder, free_port(), durable=False)  # no service needs it to migrate
        servers = ThrowawayServers(folder, postgres, nats, ensure_roles(postgres, folder / "secrets"))
        with ThreadPoolExecutor(len(SERVICES)) as side_by_side:
            list(side_by_side.map(servers.template, SERVICES))
    finally:
        postgres.stop(_STOP_PATIENCE_SECONDS)
    return postgres


@contextmanager
def _folder() -> Iterator[tuple[Path, int]]:
    """A folder that is removed at the end, and the lock that keeps others from removing it before."""
    place = _temporary_place()
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # PostgreSQL's own user passes through to its folder
    lock = _hold(folder)
    try:
        yield folder, lock
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_place() -> Path:
    """The usual temporary folder; /tmp if root's own is closed to PostgreSQL's user."""
    usual = Path(tempfile.gettempdir()).resolve()
    closed = os.geteuid() == 0 and not all(folder.stat().st_mode & 0o001 for folder in (usual, *usual.parents))
    return Path("/tmp") if closed else usual  # noqa: S108 - mkdtemp makes the folder below it


def _hold(folder: Path) -> int:
    """A lock that lives as long as this process or one of the servers."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _sweep(place: Path) -> None:
    """Removes the folders of processes that were killed; those in use are locked."""
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            descriptor = os.open(folder / "lock", os.O_RDWR)
        except FileNotFoundError:
            continue  # just being made, or just being removed
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
