"""Migrate databases.

`python -m kit.migrate NAME` takes the address from KKB_DATABASE_URL; `python -m kit.migrate all` migrates every
service's database in one process, from KKB_DATABASE_URL_<NAME>: importing SQLAlchemy costs more than migrating.
"""

from __future__ import annotations

import os
import sys

from kit import logs, migrations
from kit.revisions import PACKAGES

_ALL = "all"


def addresses(name: str) -> dict[str, str]:
    """Variable of each database to migrate, by service."""
    if name == _ALL:
        return {service: f"KKB_DATABASE_URL_{service.upper()}" for service in PACKAGES}
    return {name: "KKB_DATABASE_URL"}


def migrate(name: str) -> None:
    """Bring one database, or all, to the newest version; the first failure ends it."""
    for service, variable in addresses(name).items():
        logs.configure(f"migrate-{service}", "INFO")
        migrations.upgrade(service, os.environ[variable])


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when called wrongly."""
    if len(arguments) != 1 or arguments[0] not in {_ALL, *PACKAGES}:
        sys.stderr.write(f"usage: python -m kit.migrate {'|'.join([*PACKAGES, _ALL])}\n")
        return 2
    missing = [variable for variable in addresses(arguments[0]).values() if not os.environ.get(variable)]
    if missing:
        sys.stderr.write(f"Not set: {', '.join(missing)}; which database is to be migrated?\n")
        return 2
    migrate(arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
