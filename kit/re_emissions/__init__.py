"""Re-emissions: a service tells its present state again, as new events of the same versions.

The same room in every service that owns facts. Whoever has the state already changes nothing; whoever lost it, or joins
late, gets the whole of it. A re-emission is a job in the service's database: each chunk of things is one transaction
that locks them, writes their events into the outbox and notes how far it came, so a killed worker's job goes on where
it was, and no re-emitted event can come after a newer one of the same thing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import Event

TAG = "re-emissions"
ABOUT = "Pengumuman ulang: keadaan sekarang diumumkan lagi sebagai peristiwa, untuk sistem yang kehilangan isinya"

ReEmit = Callable[[AsyncSession, str | None, str | None, int], Awaitable[tuple[Sequence[Event], str | None]]]
"""Tells the present state of the next things of a region (None: all), in a fixed order, at most so many, beginning after
a place (None: at the beginning). Locks the things' rows until the transaction ends, so that none changes before its
events are in the outbox. Answers the events and the place of the last thing; None where there are no more."""
