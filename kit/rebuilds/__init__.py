"""Rebuilds: a service's projection is made anew out of events, beside the living one, and then put right by it.

The same room in every service with a projection. The events are folded by the service's own store code into tables of
the same shape in a schema of their own; the service goes on answering meanwhile. Its consumers pause: what they would
conclude from a projection that is in doubt would be in doubt too. In one last transaction the rest of the stream is folded
and only what differs is written into the living tables; then the consumers go on. What the service derives from its
projection it settles in chunks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event

TAG = "rebuilds"
ABOUT = "Pembangunan ulang proyeksi dari peristiwa, di samping yang sedang dipakai; hanya perbedaannya yang ditulis"

Fold = Callable[[AsyncSession, Sequence[Event]], Awaitable[Any]]
"""Applies events to the projection's tables and to nothing else; any order and any repetition gives the same."""


@dataclass(frozen=True)
class Settled:
    """What became of things that were settled: how many there were, were written anew, were told of as news."""

    checked: int = 0
    written: int = 0
    announced: int = 0


Settle = Callable[[AsyncSession, str | None, int], Awaitable[tuple[Settled, str | None]]]
"""Puts right what the service derives from its projection, for the next things after a place (None: at the beginning), at
most so many. Answers what became of them and the place of the last; None where there are no more."""


@dataclass(frozen=True)
class Projected:
    """One table of a projection."""

    table: sa.Table
    version: str | None = None
    """Column that grows with every re-emission: a row that differs in nothing else needs no repair."""
    kept: str | None = None
    """Condition (SQL, the row is `l`) under which a row that no event supports is not removed but counted."""
    dependents: Mapping[str, str] = field(default_factory=dict)
    """Columns of other tables, by table, whose rows go with a row that is removed."""


@dataclass(frozen=True)
class Projection:
    """What a service knows from others' events."""

    tables: Sequence[Projected]
    """Those that are referred to before those that refer to them."""
    folds: Mapping[str, Fold]
    """By the stream that the events come from."""
    settle: Settle | None = None

    @property
    def owners(self) -> dict[str, str]:
        """The service whose events each stream holds."""
        return {stream: stream.removeprefix("KKB_").lower() for stream in self.folds}
