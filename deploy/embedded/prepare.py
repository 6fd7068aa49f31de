"""Prepares what the four processes find: migrates all databases, makes the identity keys and the webhooks' key.

One short-lived process, because importing SQLAlchemy costs more than the migrations, and the supervisor stays small.
Told by KKB_DATABASE_URL_<NAME> and KKB_SECRETS_DIR.
"""

import os
from pathlib import Path

from deploy import webhook_key
from deploy.identity_keys import IdentityKeys
from kit import logs
from kit.migrate import migrate


def main() -> None:
    """Keys, then each database in turn; the first failure ends it with its traceback in the log."""
    logs.configure("prepare", "INFO")
    secrets_dir = Path(os.environ["KKB_SECRETS_DIR"])
    IdentityKeys(secrets_dir).make()
    webhook_key.make(secrets_dir / webhook_key.NAME)
    migrate("all")


if __name__ == "__main__":
    main()
