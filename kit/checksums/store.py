"""Sums up lines in SQL, all kinds of things and the feed's position in one snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.regions import LEVELS, RegionLevel
from kit.checksums.things import Thing
from kit.database import PLANNED_FOR_ITS_VALUES, Database

_WIDTHS = dict(zip(LEVELS, (2, 5, 8, 13), strict=True))
"""Characters of a dotted code at each level."""
_NUMBER: sa.ColumnClause[int] = literal_column(
    "('x' || left(encode(sha256(convert_to(line, 'UTF8')), 'hex'), 16))::bit(64)::bigint", sa.BigInteger
)
"""First 8 bytes of a line's SHA-256. Signed here; modulo 2^64 its sum is that of the unsigned numbers."""
_AS_OF = sa.text(
    "SELECT coalesce(max(position), 0) AS position, EXISTS (SELECT FROM outbox WHERE position IS NULL) AS waiting "
    "FROM publication"
)
_LOOKS = 20
_LOOK_AGAIN_SECONDS = 0.05
_MODULUS = 2**64


@dataclass(frozen=True)
class Sum:
    """How many things there are, and the sum of their numbers."""

    count: int
    number: int

    @property
    def digest(self) -> str:
        """The sum as 16 hexadecimal digits."""
        return f"{self.number % _MODULUS:016x}"


def total(sums: Sequence[Sum]) -> Sum:
    """The sum of the whole out of its parts."""
    return Sum(sum(one.count for one in sums), sum(one.number for one in sums))


@dataclass(frozen=True)
class Snapshot:
    """One state of the database that several questions are asked about."""

    connection: AsyncConnection
    position: int
    """Place that the newest event of the feed has."""
    settled: bool
    """Whether no change is there whose event has no place yet: the feed up to `position` gives exactly this state."""

    async def sums(self, thing: Thing, region: str | None, by: RegionLevel) -> dict[str, Sum]:
        """Sums of one kind of thing by part of a region; parts without any are left out."""
        rows = await self.connection.execute(_sums(thing.lines, region, _WIDTHS[by]))
        return {code: Sum(count, int(number)) for code, count, number in rows}


def _sums(lines: Select[Any], region: str | None, width: int) -> Select[Any]:
    code = lines.selected_columns.region_code
    if region is not None:
        lines = lines.where(code >= region, code < region + "/")
    inner = lines.subquery()
    # OFFSET 0 lets the lines be made before they are grouped: sorting numbers instead of documents, half the time
    numbers = select(inner.c.region_code, _NUMBER.label("number")).offset(literal_column("0")).subquery()
    part = func.left(numbers.c.region_code, literal_column(str(width))).label("part")
    return select(part, func.count(), func.sum(numbers.c.number)).group_by(part).order_by(part)


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Snapshot]:
    """A snapshot of the database, if one can soon be had in which every event has its place."""
    async with database.engine.connect() as bare:
        connection = await bare.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        for look in range(_LOOKS):
            if look:
                await connection.rollback()
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            await connection.execute(PLANNED_FOR_ITS_VALUES)
            position, waiting = (await connection.execute(_AS_OF)).one()
            if not waiting:
                break
        yield Snapshot(connection, position, settled=not waiting)
