"""Writes the audit trail: what is begun before it is carried out, what is over in batches, one chain for all processes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime

from gateway.audit import metrics, store
from gateway.audit.rules import AuditKind, Entry
from kit import clock, deadlines
from kit.database import Database
from kit.ids import uuid7
from kit.problems import Unavailable, is_database_away

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Entries kept in memory while the database is away: about 10 MB."""

_BATCH = 500
_GATHER_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_BEGIN_SECONDS = 10.0
"""Longest wait of a changing request for its beginning to be stored."""
_END_SECONDS = 5.0
ABANDONED_SECONDS = 120.0
"""How much longer than the longest request a beginning waits for its end before it is recorded without a result."""
_LOCK = 0x6B6B_6175
_SWEEP_SECONDS = 30.0


class Writer:
    """One a process.

    What is lost when the process is killed: results of the last moments, never that there was a changing request
    (docs/decisions/0033).
    """

    def __init__(self, database: Database, longest_request_seconds: float) -> None:
        self._database = database
        self._abandoned_seconds = longest_request_seconds + ABANDONED_SECONDS
        self._beginning: list[tuple[Entry, asyncio.Future[None]]] = []
        self._waiting: deque[Entry] = deque()
        self._lost: Counter[AuditKind] = Counter()
        self._lost_since: datetime | None = None
        self._begin_wanted = asyncio.Event()
        self._write_wanted = asyncio.Event()
        metrics.WAITING.set_function(lambda: float(len(self._waiting)))
        metrics.OLDEST_WAITING.set_function(self._oldest_age)

    async def begin(self, entry: Entry) -> None:
        """Store that a request is about to be carried out; many at once share a transaction.

        Raises:
            Unavailable: it could not be stored in time, so nothing may be carried out.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._beginning.append((entry, stored))
        self._begin_wanted.set()
        try:
            async with asyncio.timeout(deadlines.within(_BEGIN_SECONDS)):
                await stored
        except Exception as error:
            metrics.REFUSED.inc()
            if not is_database_away(error):
                log.exception("the audit trail cannot be written")
            raise Unavailable("the audit trail cannot be written just now; nothing was carried out") from error

    def add(self, entry: Entry) -> None:
        """Keep an entry until it is written; where too many wait already it is lost, and a gap says so later."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose(entry)
            return
        self._waiting.append(entry)
        self._write_wanted.set()

    async def run_beginnings(self) -> None:
        """Store beginnings, until cancelled."""
        while True:
            await self._begin_wanted.wait()
            self._begin_wanted.clear()
            batch, self._beginning = self._beginning, []
            wanted = [(entry, stored) for entry, stored in batch if not stored.done()]
            if wanted:
                await self._store_beginnings(wanted)

    async def run_writing(self) -> None:
        """Add what waits to the chain, until cancelled."""
        while True:
            await self._write_wanted.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._write_wanted.clear()
            while self._waiting and await self._write_batch():
                pass
            if self._waiting:
                self._write_wanted.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def run_sweeping(self) -> None:
        """Record requests whose process ended before their result was known, until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception as error:
                if not is_database_away(error):
                    raise
            await asyncio.sleep(_SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Once. Of several processes one does it at a time."""
        async with self._database.alone(_LOCK) as alone:
            if not alone:
                return
            async with self._database.transaction() as session:
                found = await store.abandoned(session, self._abandoned_seconds, _BATCH)
                added = await store.append(session, found) if found else 0
        metrics.UNFINISHED.inc(added)
        metrics.ENTRIES.labels(AuditKind.CHANGE.value).inc(added)

    async def close(self) -> None:
        """Write what waits, as far as that goes quickly."""
        try:
            async with asyncio.timeout(_END_SECONDS):
                while self._waiting and await self._write_batch():
                    pass
        except TimeoutError:
            pass
        if self._waiting:
            log.error("the process ends with entries of the audit trail unwritten", extra={"count": len(self._waiting)})

    async def _store_beginnings(self, wanted: Sequence[tuple[Entry, asyncio.Future[None]]]) -> None:
        failure: Exception | None = None
        try:
            async with asyncio.timeout(_BEGIN_SECONDS), self._database.transaction() as session:
                await store.begin(session, [entry for entry, _ in wanted])
        except Exception as error:  # noqa: BLE001 - each request that waits for it raises it
            failure = error
            metrics.FAILURES.inc()
        for _, stored in wanted:
            if stored.done():
                continue
            if failure is None:
                stored.set_result(None)
            else:
                stored.set_exception(failure)

    async def _write_batch(self) -> bool:
        """Write the oldest entries; False where that has to be tried again."""
        batch = [self._waiting[place] for place in range(min(_BATCH, len(self._waiting)))]
        try:
            async with self._database.transaction() as session:
                await store.append(session, batch)
        except Exception as error:
            metrics.FAILURES.inc()
            log.warning("the audit trail cannot be written", exc_info=None if is_database_away(error) else error)
            return False
        for _ in batch:
            metrics.ENTRIES.labels(self._waiting.popleft().kind.value).inc()
        self._tell_gap()
        return True

    def _lose(self, entry: Entry) -> None:
        self._lost[entry.kind] += entry.count
        self._lost_since = self._lost_since or entry.at
        metrics.LOST.labels(entry.kind.value).inc(entry.count)

    def _tell_gap(self) -> None:
        """Say what was lost, in an entry of its own, once there is room again."""
        if self._lost_since is None or len(self._waiting) > MOST_WAITING // 2:
            return
        parts = ", ".join(f"{kind.value}: {count}" for kind, count in sorted(self._lost.items()))
        since, count = self._lost_since, self._lost.total()
        self._lost_since, self._lost = None, Counter()
        note = f"lost: {parts}"
        self.add(Entry(id=uuid7(), kind=AuditKind.GAP, at=since, until=clock.now(), count=count, note=note))

    def _oldest_age(self) -> float:
        return (clock.now() - self._waiting[0].at).total_seconds() if self._waiting else 0.0
