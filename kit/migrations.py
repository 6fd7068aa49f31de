"""Alembic for services that each own a database: one environment, migrations in the service's own folder."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Awaitable, Callable
from types import ModuleType

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kit.revisions import PACKAGES, folder

_LOCK = 0x6B6B_6D69


def _module(name: str, part: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGES[name]}.{part}")


def metadata_of(name: str) -> MetaData:
    """The tables a service declares."""
    metadata: MetaData = _module(name, "metadata").METADATA
    return metadata


def config(name: str, connection: Connection | None = None) -> Config:
    """Alembic's configuration for a service."""
    settings = Config()
    settings.set_main_option("script_location", str(folder(name)))
    settings.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    settings.attributes["connection"] = connection
    settings.attributes["metadata"] = metadata_of(name)
    return settings


def run_environment() -> None:
    """What each service's env.py calls."""
    attributes = context.config.attributes
    context.configure(connection=attributes["connection"], target_metadata=attributes["metadata"], compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


def _upgrade(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    command.upgrade(config(name, connection), "head")


async def _upgrade_tables(engine: AsyncEngine, name: str) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, name)


async def _load_reference(engine: AsyncEngine, name: str) -> None:
    if importlib.util.find_spec(f"{PACKAGES[name]}.reference"):
        async with engine.begin() as connection:
            await _module(name, "reference").load(connection)


async def _run(url: str, name: str, *steps: Callable[[AsyncEngine, str], Awaitable[None]]) -> None:
    engine = create_async_engine(url, connect_args={"timeout": 5})
    try:
        for step in steps:
            await step(engine, name)
    finally:
        await engine.dispose()


def upgrade(name: str, url: str) -> None:
    """Bring a service's database to the newest version and load its reference data; safe to run side by side."""
    asyncio.run(_run(url, name, _upgrade_tables, _load_reference))


def upgrade_tables(name: str, url: str) -> None:
    """Bring a service's tables to the newest version, without reference data."""
    asyncio.run(_run(url, name, _upgrade_tables))


def drift(connection: Connection, name: str) -> list[object]:
    """Differences between the migrated database and the declared tables; empty when the migrations are complete."""
    return list(
        compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata_of(name))
    )


def revision(connection: Connection, name: str, message: str, number: str) -> None:
    """Write a new migration out of the difference between a database and the declared tables."""
    command.revision(config(name, connection), message, autogenerate=True, rev_id=number)
