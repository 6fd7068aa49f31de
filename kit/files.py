"""Files that nobody must find half written: generated secrets above all."""

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
