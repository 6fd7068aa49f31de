"""Files that nobody must find half written, generated secrets above all, and files that are replaced while they are used."""

from __future__ import annotations

import os
from pathlib import Path


def write_secret(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file in one step, readable by its owner only: a crash leaves what was there before, or all of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


class WatchedFile:
    """Tells when a file was replaced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._look()

    def was_replaced(self) -> bool:
        """Whether it is another one than when this was last asked; one that is gone is another one, once."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        return True

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
