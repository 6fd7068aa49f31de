"""Generated secrets: each in its own file that only its owner can read."""

import os
import secrets
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file of mode 0600 in one step: a crash leaves either nothing or all of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def kept_password(path: Path) -> str:
    """The password in this file; generated (256 bits, hexadecimal) if the file does not exist yet."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32).encode())
    return path.read_text().strip()
