"""The key that webhooks' secrets are encrypted with: `python -m deploy.webhook_key make|renew FILE`.

    make   a key, if there is none
    renew  a new key before the old ones: what is encrypted from now on is under the new one, what was before stays readable

The gateway reads the file when it starts. Once all that may send have the new key, webhooks' secrets come under it
(gateway/webhooks/resealing.py); when the old ones may be deleted: docs/operating/settings.md.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from kit.files import write_secret

NAME = "webhooks.key"
_KEY_BYTES = 32


def make(file: Path) -> None:
    """A key, if there is none."""
    if not file.exists():
        renew(file)


def renew(file: Path) -> None:
    """A new key before those that are there."""
    old = file.read_text(encoding="ascii").split() if file.exists() else []
    write_secret(file, "".join(f"{key}\n" for key in [secrets.token_hex(_KEY_BYTES), *old]).encode())


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when called wrongly."""
    match arguments:
        case ["make", file]:
            make(Path(file))
        case ["renew", file]:
            renew(Path(file))
        case _:
            print("usage: python -m deploy.webhook_key make|renew FILE", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
