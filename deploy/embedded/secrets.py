"""Generated secrets: each in its own file that only its owner can read."""

import secrets
from pathlib import Path

from kit.files import write_secret


def kept_password(path: Path) -> str:
    """The password in this file; generated (256 bits, hexadecimal) if the file does not exist yet."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32).encode())
    return path.read_text().strip()
