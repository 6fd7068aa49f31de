"""Write a migration: `python -m deploy.new_migration SERVICE NUMBER "what changes"`.

Migrates a throw-away database to the newest version and writes the difference to the declared tables.
"""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import throwaway_servers
from kit import migrations


async def _write(url: str, name: str, number: str, message: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(migrations.revision, name, message, number)
    await engine.dispose()


def main(name: str, number: str, message: str) -> None:
    """Write one migration."""
    with throwaway_servers() as servers:
        url = servers.empty_database(name)
        migrations.upgrade_tables(name, url)
        asyncio.run(_write(url, name, number, message))


if __name__ == "__main__":
    main(*sys.argv[1:])
