"""Prepares what the four processes find: migrates all databases, makes the identity keys.

One short-lived process, because importing SQLAlchemy costs more than the migrations, and the supervisor stays small.
Told by KKB_DATABASE_URL_<NAME> and KKB_SECRETS_DIR.
"""

import os
from pathlib import Path

from deploy.identity_keys import ensure_identity_keys
from kit import logs, migrations


def main() -> None:
    """Each database in turn; the first failure ends it with that database's traceback in the log."""
    logs.configure("prepare", "INFO")
    ensure_identity_keys(Path(os.environ["KKB_SECRETS_DIR"]))
    for name in migrations.PACKAGES:
        logs.configure(f"migrate-{name}", "INFO")
        migrations.upgrade(name, os.environ[f"KKB_DATABASE_URL_{name.upper()}"])


if __name__ == "__main__":
    main()
