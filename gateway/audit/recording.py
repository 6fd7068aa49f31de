"""From requests to entries of the audit trail: what is recorded, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from contracts.regions import common_region
from gateway.audit.rules import SUMMED_UP, AuditKind, Entry, Refusals, kind_of, region_of, resource_of
from gateway.audit.writing import Writer
from gateway.proxy.calls import Call
from gateway.proxy.routing import Operation
from kit import clock
from kit.ids import uuid7

_SUM_UP_SECONDS = 1.0


class Recorder:
    """What the door tells of its requests. Reads of what is not sensitive cost two look-ups and nothing else."""

    def __init__(self, writer: Writer, operations: Iterable[Operation]) -> None:
        self._writer = writer
        self._refusals = Refusals()
        self._kinds: dict[str, AuditKind] = {}
        self._ways_in: set[str] = set()
        """What strangers may send: whatever becomes of it without anybody being let in is counted, not recorded one by
        one, or anybody could fill the trail."""
        begins: set[str] = set()
        for operation in operations:
            kind = kind_of(operation.method, operation.scopes)
            if kind is None:
                continue
            self._kinds[operation.operation_id] = kind
            if kind is AuditKind.CHANGE:
                (begins if operation.scopes else self._ways_in).add(operation.operation_id)
        self.begins = frozenset(begins)
        """Operations whose requests are recorded before they are carried out. Those that are open to strangers
        (sign-in) are not among them: anybody could make the database write."""

    async def begin(self, call: Call) -> None:
        """Record that a request is let through.

        Raises:
            Unavailable: that is not possible just now, so nothing may be carried out.
        """
        call.begun = _entry(call, AuditKind.CHANGE)
        await self._writer.begin(call.begun)

    def note(self, call: Call) -> None:
        """Record a request that is over, where it is one to be recorded."""
        if call.begun is not None:
            self._writer.add(replace(call.begun, status=call.status or None, note=call.failure, region=_region(call)))
        elif call.status in SUMMED_UP or self._is_strangers(call):
            first = self._refusals.add(_entry(call, AuditKind.REFUSAL))
            if first is not None:
                self._writer.add(first)
        elif call.operation is not None and (kind := self._kinds.get(call.operation.operation_id)) is not None:
            self._writer.add(_entry(call, kind))

    def _is_strangers(self, call: Call) -> bool:
        return call.principal is None and call.operation is not None and call.operation.operation_id in self._ways_in

    async def run_summing_up(self) -> None:
        """Tell of the refusals of each minute that is over, until cancelled."""
        while True:
            await asyncio.sleep(_SUM_UP_SECONDS)
            for group in self._refusals.over(clock.now()):
                self._writer.add(group.entry(uuid7()))

    async def close(self) -> None:
        """The process ends: write what is known."""
        for group in self._refusals.all():
            self._writer.add(group.entry(uuid7()))
        await self._writer.close()


def _entry(call: Call, kind: AuditKind) -> Entry:
    operation, target, principal = call.operation, call.target.decode("latin-1"), call.principal
    return Entry(
        id=uuid7(),
        kind=kind,
        at=clock.now(),
        caller=_plain(principal.id) if principal else None,
        caller_name=_plain(principal.name) if principal else None,
        caller_region=common_region(grant.region for grant in principal.grants) if principal else None,
        credential=str(call.credential) if call.credential else None,
        address=_plain(call.client) or None,
        operation=operation.operation_id if operation else None,
        method=call.method,
        resource=_plain(resource_of(target)),
        region=_region(call),
        status=call.status or None,
        request_id=call.request_id.decode("latin-1"),
        note=call.failure,
    )


def _region(call: Call) -> str | None:
    if call.operation is None:
        return None
    return region_of(call.operation.template, call.target.decode("latin-1"), call.region)


def _plain(text: str | None) -> str | None:
    """Text that PostgreSQL and JSON can hold, whatever an identity provider calls somebody."""
    return None if text is None else text.replace("\x00", "").encode("utf-8", "replace").decode()
