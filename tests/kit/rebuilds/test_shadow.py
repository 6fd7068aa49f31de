"""Putting living tables right by those beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import ThrowawayServers
from kit.database import Database
from kit.rebuilds import Projected, shadow

METADATA = sa.MetaData()
PLACE = sa.Table(
    "place",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("date", sa.Text),
)
THING = sa.Table(
    "thing",
    METADATA,
    sa.Column("place", sa.ForeignKey("place.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("facts", sa.JSON().with_variant(sa.dialects.postgresql.JSONB, "postgresql")),
)
NOTE = sa.Table("note", METADATA, sa.Column("place", sa.ForeignKey("place.id"), primary_key=True))
TABLES = (
    Projected(PLACE, version="version", kept="l.id >= 100", dependents={"note": "place"}),
    Projected(THING),
)
NOTHING = {"added": 0, "changed": 0, "removed": 0, "kept": 0, "kept_ids": []}


@pytest.fixture
async def database(own_servers: ThrowawayServers) -> AsyncIterator[Database]:
    database = Database(create_async_engine(own_servers.empty_database("registry")))
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await shadow.make(database.engine, TABLES)
    yield database
    await database.engine.dispose()


async def fill(database: Database, schema: str, places: list[Any], things: list[Any] | None = None) -> None:
    async with database.transaction() as session:
        for number, version, day in places:
            values = {"id": number, "version": version, "day": day}
            await session.execute(sa.text(f"INSERT INTO {schema}.place VALUES (:id, :version, :day)"), values)
        for place, kind, facts in things or []:
            values = {"place": place, "kind": kind, "facts": facts}
            statement = f"INSERT INTO {schema}.thing VALUES (:place, :kind, cast(:facts AS jsonb))"
            await session.execute(sa.text(statement), values)


async def put_right(database: Database) -> dict[str, Any]:
    async with database.transaction() as session:
        found = await shadow.write_differences(session, TABLES)
    return {table: differences.model_dump() for table, differences in found.items()}


async def rows(database: Database, table: str) -> list[Any]:
    async with database.transaction() as session:
        return [tuple(row) for row in (await session.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2")))]


async def test_missing_different_and_unsupported_rows(database: Database) -> None:
    await fill(database, "rebuild", [(1, 1, "a"), (2, 1, None), (3, 2, "c")], [(1, "x", "{}"), (3, "x", '{"n": 1}')])
    await fill(database, "public", [(2, 1, "b"), (3, 2, "c"), (4, 1, "d")], [(3, "x", '{"n": 2}'), (4, "y", "{}")])
    assert await put_right(database) == {
        "place": {**NOTHING, "added": 1, "changed": 1, "removed": 1},
        "thing": {**NOTHING, "added": 1, "changed": 1, "removed": 1},
    }
    for table in ("place", "thing"):
        assert await rows(database, f"public.{table}") == await rows(database, f"rebuild.{table}")
    assert await put_right(database) == {"place": NOTHING, "thing": NOTHING}


async def test_a_newer_version_of_the_same_is_taken_over_and_no_repair(database: Database) -> None:
    await fill(database, "rebuild", [(1, 5, "a")])
    await fill(database, "public", [(1, 2, "a")])
    assert (await put_right(database))["place"] == NOTHING
    assert await rows(database, "public.place") == [(1, 5, "a")]


async def test_a_version_that_no_event_has_given_is_a_repair(database: Database) -> None:
    await fill(database, "rebuild", [(1, 5, "a")])
    await fill(database, "public", [(1, 999, "a")])
    assert (await put_right(database))["place"] == {**NOTHING, "changed": 1}
    assert await rows(database, "public.place") == [(1, 5, "a")]


async def test_what_is_kept_is_named_and_dependents_go_with_what_is_removed(database: Database) -> None:
    await fill(database, "public", [(1, 1, "a"), (100, 1, "b")])
    async with database.transaction() as session:
        await session.execute(sa.text("INSERT INTO note VALUES (1), (100)"))
    assert (await put_right(database))["place"] == {**NOTHING, "removed": 1, "kept": 1, "kept_ids": ["100"]}
    async with database.transaction() as session:
        assert list((await session.execute(sa.text("SELECT place FROM note"))).scalars()) == [100]


async def test_made_again_it_is_empty(database: Database) -> None:
    await fill(database, "rebuild", [(1, 1, "a")])
    await shadow.make(database.engine, TABLES)
    assert await rows(database, "rebuild.place") == []
    await shadow.drop(database.engine)
    await shadow.drop(database.engine)
