"""Say whether every service's migrations make exactly the tables it declares: `python -m deploy.migration_drift`."""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import throwaway_servers
from kit import migrations


async def _drift(url: str, name: str) -> list[object]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(migrations.drift, name)
    finally:
        await engine.dispose()


def main() -> int:
    """1 when a service's tables and migrations differ."""
    found = 0
    with throwaway_servers() as servers:
        for name in migrations.PACKAGES:
            url = servers.empty_database(name)
            migrations.upgrade_tables(name, url)
            differences = asyncio.run(_drift(url, name))
            found += len(differences)
            for difference in differences:
                print(f"{name}: {difference}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
