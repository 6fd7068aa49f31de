"""`python -m deploy.compose.migrate`: brings all databases to the newest version, then ends.

The same as `python -m kit.migrate NAME` for each, in one process; addresses come from KKB_DATABASE_URL_<NAME>.
"""

import os
import sys

from kit import logs, migrations


def main() -> int:
    """Each database in turn; the first failure ends it with that database's traceback. 2 when an address is missing."""
    variables = {name: f"KKB_DATABASE_URL_{name.upper()}" for name in migrations.PACKAGES}
    missing = [variable for variable in variables.values() if not os.environ.get(variable)]
    if missing:
        print(f"Not set: {', '.join(missing)}", file=sys.stderr)
        return 2
    for name, variable in variables.items():
        logs.configure(f"migrate-{name}", "INFO")
        migrations.upgrade(name, os.environ[variable])
    return 0


if __name__ == "__main__":
    sys.exit(main())
