"""The tables beside the living ones, and how the living ones are put right by them."""
# ruff: noqa: S608 - all names come from the tables that our code declares

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from kit.rebuilds import Projected
from kit.rebuilds.schemas import TableDifferences

SCHEMA = "rebuild"
"""Where the tables are made. Sessions that fold see this schema only: what is not there is an error, never the living."""

_EXAMPLES = 20


async def make(engine: AsyncEngine, tables: Sequence[Projected]) -> None:
    """Empty tables of the same shape as the living ones; what an earlier rebuild left behind goes."""
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        await connection.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
        for one in tables:
            # unlogged: after a crash they are made anew anyway
            shape = f"CREATE UNLOGGED TABLE {SCHEMA}.{one.table.name} (LIKE public.{one.table.name} INCLUDING ALL)"
            await connection.execute(sa.text(shape))


async def drop(engine: AsyncEngine) -> None:
    """Remove the tables."""
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))


async def analyse(engine: AsyncEngine, tables: Sequence[Projected]) -> None:
    """Let PostgreSQL know how full the tables are before they are compared."""
    async with engine.begin() as connection:
        for one in tables:
            await connection.execute(sa.text(f"ANALYZE {SCHEMA}.{one.table.name}"))


async def write_differences(session: AsyncSession, tables: Sequence[Projected]) -> dict[str, TableDifferences]:
    """Insert what is missing, update what differs, delete what no event supports; how many rows each, by table.

    Only rows that differ are touched, so readers notice nothing. Consumers must be kept away meanwhile.
    """
    statements = [_Statements(one) for one in tables]
    added: dict[str, int] = {}
    changed: dict[str, int] = {}
    removed: dict[str, int] = {}
    kept: dict[str, list[str]] = {}
    for one in statements:
        added[one.name] = await _count(session, one.insert)
        changed[one.name] = await _count(session, one.update)
        await session.execute(sa.text(one.renew))
    for one in reversed(statements):
        # held first: who refers to one of them just now commits before it is asked again whether something does
        await session.execute(sa.text(one.hold))
        for dependents in one.delete_dependents:
            await session.execute(sa.text(dependents))
        removed[one.name] = await _count(session, one.delete)
        kept[one.name] = [str(key) for key in (await session.execute(sa.text(one.left))).scalars()]
    return {
        name: TableDifferences(
            added=added[name],
            changed=changed[name],
            removed=removed[name],
            kept=len(kept[name]),
            kept_ids=kept[name][:_EXAMPLES],
        )
        for name in added
    }


async def _count(session: AsyncSession, statement: str) -> int:
    return int((await session.execute(sa.text(statement))).rowcount)  # type: ignore[attr-defined]  # of what writes


class _Statements:
    """What puts one table right: `l` is a living row, `s` the row beside it."""

    def __init__(self, one: Projected) -> None:
        self.name = str(one.table.name)
        keys = [column.name for column in one.table.primary_key]
        others = [column.name for column in one.table.columns if column.name not in keys]
        content = [name for name in others if name != one.version]
        living, beside = f"public.{self.name} l", f"{SCHEMA}.{self.name} s"
        same = " AND ".join(f'l."{key}" = s."{key}"' for key in keys)
        unsupported = f"NOT EXISTS (SELECT FROM {beside} WHERE {same})"
        unreferenced = f"{unsupported} AND NOT ({one.kept})" if one.kept else unsupported
        columns = ", ".join(f'"{name}"' for name in [*keys, *others])
        values = ", ".join(f's."{name}"' for name in [*keys, *others])
        take_over = f"UPDATE {living} SET {', '.join(_set(others))} FROM {beside} WHERE {same}"
        differs = f"({_row('l', content)}) IS DISTINCT FROM ({_row('s', content)})"
        # a version that no event has given must not stay: it would keep out all newer news
        ahead = f' OR l."{one.version}" > s."{one.version}"' if one.version else ""
        self.insert = (
            f"INSERT INTO public.{self.name} ({columns}) SELECT {values} FROM {beside} "
            f"WHERE NOT EXISTS (SELECT FROM {living} WHERE {same})"
        )
        self.update = f"{take_over} AND ({differs}{ahead})"
        self.renew = f'{take_over} AND l."{one.version}" < s."{one.version}"' if one.version else "SELECT"
        self.hold = f"SELECT FROM {living} WHERE {unsupported} FOR UPDATE"
        self.delete = f"DELETE FROM {living} WHERE {unreferenced}"
        self.delete_dependents = [
            f'DELETE FROM public.{table} d USING {living} WHERE d."{column}" = l."{keys[0]}" AND {unreferenced}'
            for table, column in one.dependents.items()
        ]
        self.left = f'SELECT l."{keys[0]}" FROM {living} WHERE {unsupported}'


def _set(names: Sequence[str]) -> Iterator[str]:
    return (f'"{name}" = s."{name}"' for name in names)


def _row(alias: str, names: Sequence[str]) -> str:
    return "ROW(" + ", ".join(f'{alias}."{name}"' for name in names) + ")"
