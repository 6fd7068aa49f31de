"""Checks the whole chain now and then, so that a change of the past is noticed without anybody asking."""

from __future__ import annotations

import asyncio
import logging

from contracts.audit_chain import Break, Fault, Walk
from gateway.audit import metrics, store
from gateway.audit.schemas import AuditEntryOut
from kit import clock
from kit.database import Database
from kit.metrics import UNKNOWN
from kit.problems import is_database_away

log = logging.getLogger(__name__)

_LOCK = 0x6B6B_6163
_PAGE = 100
"""Entries at a time: 2 ms of work between two of the gateway's requests."""
_PAUSE_SECONDS = 0.02
_MOST_BREAKS = 20
_FIRST_SECONDS = 30.0


async def check_now_and_then(database: Database, every_seconds: float) -> None:
    """Check until cancelled; one of several processes does it, the others do not know how the chain is."""
    await asyncio.sleep(min(_FIRST_SECONDS, every_seconds))
    while True:
        try:
            async with database.alone(_LOCK) as alone:
                if alone:
                    await check(database)
                else:
                    metrics.CHAIN_INTACT.set(UNKNOWN)
                    metrics.CHECKED.set(UNKNOWN)
        except Exception as error:
            if not is_database_away(error):
                raise
        await asyncio.sleep(every_seconds)


async def check(database: Database) -> list[Break]:
    """Follow the whole chain, say in metrics and log how it is, and give what is wrong."""
    async with database.transaction() as session:
        head = await store.head(session)
    walk, breaks = Walk(), list[Break]()
    while walk.at.number < head.number and len(breaks) < _MOST_BREAKS:
        async with database.transaction() as session:
            rows = await store.after(session, walk.at.number, _PAGE)
        rows = [row for row in rows if row.number <= head.number]
        if not rows:
            break
        for row in rows:
            breaks += walk.step(AuditEntryOut.of(row).model_dump(mode="json"))
        await asyncio.sleep(_PAUSE_SECONDS)
    if len(breaks) < _MOST_BREAKS:
        breaks += walk.end(head)
        async with database.transaction() as session:
            last, end = await store.ends(session)
        breaks += [Break(Fault.ADDED, end + 1, last)] if last > end else []
    _tell(breaks, head.number, head.digest)
    return breaks


def _tell(breaks: list[Break], number: int, digest: str) -> None:
    metrics.CHAIN_INTACT.set(0 if breaks else 1)
    metrics.CHECKED.set(clock.now().timestamp())
    for one in breaks:
        log.error("the audit trail is broken", extra={"fault": one.fault.value, "number": one.number, "last": one.last})
    if not breaks:
        # in the log, which leaves this machine, the head proves later what stood here
        log.info("the audit trail is whole", extra={"number": number, "digest": digest})
