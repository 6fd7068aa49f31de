"""Migrate a service's database: `python -m kit.migrate NAME` with KKB_DATABASE_URL set."""

from __future__ import annotations

import os
import sys

from kit import logs, migrations


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when called wrongly."""
    if len(arguments) != 1 or arguments[0] not in migrations.PACKAGES:
        sys.stderr.write(f"usage: python -m kit.migrate {'|'.join(migrations.PACKAGES)}\n")
        return 2
    url = os.environ.get("KKB_DATABASE_URL")
    if not url:
        sys.stderr.write("KKB_DATABASE_URL is not set: which database is to be migrated?\n")
        return 2
    logs.configure(f"migrate-{arguments[0]}", "INFO")
    migrations.upgrade(arguments[0], url)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
