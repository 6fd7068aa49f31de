"""Which revision of its database a release needs, read off the names of its migrations.

Apart from kit.migrations: importing alembic would cost every process 12 MB and a quarter of a second.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

PACKAGES = {
    "registry": "services.registry",
    "interventions": "services.interventions",
    "scoring": "services.scoring",
    "gateway": "gateway",
}
"""Processes that own a database. Each package has `migrations/` (env.py, versions/) and `metadata.METADATA`;
one with reference data has `reference.load(connection)`, which runs after every upgrade."""


def folder(name: str) -> Path:
    """The folder of a service's migrations."""
    return Path(str(importlib.import_module(PACKAGES[name]).__file__)).parent / "migrations"


@cache
def revisions(name: str) -> tuple[str, ...]:
    """The revisions that this release knows, oldest first; the last is the one it needs."""
    return tuple(sorted(file.stem.partition("_")[0] for file in (folder(name) / "versions").glob("[0-9]*.py")))
