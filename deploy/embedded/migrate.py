"""Migrates all databases in one process: importing SQLAlchemy four times costs more than the migrations.

The same as `python -m kit.migrate NAME` for each; addresses come from KKB_DATABASE_URL_<NAME>.
"""

import os
from collections.abc import Mapping

from kit import logs, migrations


def environment(database_urls: Mapping[str, str]) -> dict[str, str]:
    """What this module's process is told."""
    return {f"KKB_DATABASE_URL_{name.upper()}": url for name, url in database_urls.items()}


def main() -> None:
    """Each database in turn; the first failure ends it with that database's traceback in the log."""
    for name in migrations.PACKAGES:
        logs.configure(f"migrate-{name}", "INFO")
        migrations.upgrade(name, os.environ[f"KKB_DATABASE_URL_{name.upper()}"])


if __name__ == "__main__":
    main()
