"""One supervisor per data folder, and none before the processes of a killed one have ended."""

import fcntl
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.placement import make_folder
from deploy.embedded.problems import StartProblem

LEFTOVER_PATIENCE_SECONDS = 60.0


@contextmanager
def locked(data_dir: Path, patience: float = LEFTOVER_PATIENCE_SECONDS) -> Iterator[int]:
    """Holds the data folder; yields the descriptor that every child process must inherit.

    Two locks: `supervisor.lock` is held by the supervisor alone. `children.lock` is held by whoever inherited its
    descriptor, so it stays locked after a kill -9 of the supervisor until the last of its children has ended.

    Raises:
        StartProblem: another supervisor runs, another user owns the data, or children of a killed one do not end.
    """
    # Root's data folder lets PostgreSQL's user pass through to its own.
    make_folder(data_dir, 0o711 if os.geteuid() == 0 else 0o700)
    own, children = data_dir / "supervisor.lock", data_dir / "children.lock"
    _refuse_other_owner(own, data_dir)
    own_descriptor = _open(own)
    children_descriptor = _open(children)
    try:
        if not _take(own_descriptor):
            pid = own.read_text().strip() or "unknown"
            raise StartProblem(
                f"The platform already runs on {data_dir} (process {pid}): stop it first, or set KKB_DATA_DIR."
            )
        os.truncate(own_descriptor, 0)
        os.write(own_descriptor, f"{os.getpid()}\n".encode())
        _wait_for_leftovers(children_descriptor, data_dir, patience)
        yield children_descriptor
    finally:
        os.close(children_descriptor)
        os.close(own_descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_other_owner(lock: Path, data_dir: Path) -> None:
    """Whoever starts first owns the files; a second user would leave a mixture that neither can start again."""
    owner = lock.stat().st_uid if lock.exists() else os.geteuid()
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise StartProblem(
            f"The data in {data_dir} belong to the user {name}: start as {name}, or set KKB_DATA_DIR to another folder."
        )


def _wait_for_leftovers(descriptor: int, data_dir: Path, patience: float) -> None:
    give_up = time.monotonic() + patience
    told = False
    while not _take(descriptor):
        if not told:
            print("Waiting until the processes of a start that was killed have ended ...", flush=True)
            told = True
        if time.monotonic() > give_up:
            raise StartProblem(f"Processes of an earlier start still work on {data_dir}: end them first.")
        time.sleep(0.1)
