"""Do the migrations make the tables the code declares: `python -m deploy.check_migrations`; every difference is a line."""

import asyncio
import sys

from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import throwaway_servers
from kit import migrations
from kit.revisions import PACKAGES


async def _differences(url: str, service: str) -> list[object]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(migrations.drift, service)
    finally:
        await engine.dispose()


def main() -> int:
    """1 when a database built by the migrations differs from the declared tables."""
    different = 0
    with throwaway_servers() as servers:
        for service in PACKAGES:
            url = servers.empty_database(service)
            migrations.upgrade_tables(service, url)
            for difference in asyncio.run(_differences(url, service)):
                different += 1
                print(f"{service}: {difference}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
