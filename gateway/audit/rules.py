"""What is recorded of a request, and how entries are chained. Pure: no clock, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from contracts.audit_chain import Head, digest_of
from contracts.regions import common_region, parse_region_code

SUMMED_UP = frozenset({401, 403, 429})
"""Refusals come in floods: they are counted per minute and group instead of recorded one by one."""
MOST_GROUPS = 50
"""Groups of refusals told apart within a minute; what is beyond is counted by status alone."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_READING = (":read", ":evaluate")
_SENSITIVE = (":manage",)
_AUDIT = "audit:read"
_LONGEST_RESOURCE = 400
_KEY = re.compile(r"kkb_[0-9A-Za-z_]{20,}")


class AuditKind(StrEnum):
    """What an entry tells of."""

    CHANGE = "change"
    """A request that may change something, whatever became of it."""
    READ = "read"
    """A reading of something sensitive: keys, accounts, subscriptions, the audit trail itself."""
    REFUSAL = "refusal"
    """Requests of one group that were refused within a minute: who is it (401), may he (403), how often (429); and
    whatever else strangers sent to the ways in that led nobody in."""
    GAP = "gap"
    """So many entries were lost: the database was away for so long that the memory for them was full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry before it has its place in the chain."""

    id: UUID
    kind: AuditKind
    at: datetime
    until: datetime | None = None
    count: int = 1
    caller: str | None = None
    caller_name: str | None = None
    caller_region: str | None = None
    credential: str | None = None
    address: str | None = None
    operation: str | None = None
    method: str | None = None
    resource: str | None = None
    region: str | None = None
    status: int | None = None
    request_id: str | None = None
    note: str | None = None


MEMBERS = tuple(Entry.__slots__)


def kind_of(method: str, scopes: Iterable[str]) -> AuditKind | None:
    """What an operation's requests are recorded as; None where only their refusals are.

    A POST whose scopes only let read (what-if, evaluations) changes nothing, whatever its method.
    """
    needed = tuple(scopes)
    if method not in _SAFE:
        return (
            None
            if needed and all(scope.endswith(_READING) and scope != _AUDIT for scope in needed)
            else AuditKind.CHANGE
        )
    if any(scope.endswith(_SENSITIVE) or scope == _AUDIT for scope in needed):
        return AuditKind.READ
    return None


def resource_of(target: str) -> str:
    """The path of a request's target as it was written; never the query, whose values can hold names.

    A key that somebody wrote into the path by mistake must not be read here by others.
    """
    return _KEY.sub("kkb_...", target.partition("?")[0])[:_LONGEST_RESOURCE]


def region_of(template: str, target: str, told: str | None) -> str | None:
    """The region that a request is about: as whoever carried it out told, else as its address says it.

    An address says it by its village's code, or by `region=`.
    """
    if told is not None and (known := _region(told)) is not None:
        return known
    path, _, query = target.partition("?")
    named = dict(zip(template.split("/"), path.split("/"), strict=False))
    candidates = [named.get("{village}", ""), *parse_qs(query).get("region", [])[:1]]
    return next(filter(None, map(_region, candidates)), None)


def _region(text: str) -> str | None:
    try:
        return parse_region_code(text)
    except ValueError:
        return None


def moment(when: datetime | None) -> str | None:
    """A time as the digest covers it: UTC, always six digits of the second."""
    return None if when is None else f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def written(entry: Entry) -> dict[str, Any]:
    """The entry as JSON members, as the digest covers them; number and previous are the chain's."""
    members = {name: getattr(entry, name) for name in MEMBERS}
    return {
        **members,
        "id": str(entry.id),
        "kind": entry.kind.value,
        "at": moment(entry.at),
        "until": moment(entry.until),
    }


def read(members: dict[str, Any]) -> Entry:
    """The entry that was written."""
    until = members["until"]
    times = {
        "at": datetime.fromisoformat(members["at"]),
        "until": None if until is None else datetime.fromisoformat(until),
    }
    return Entry(**{**members, **times, "id": UUID(members["id"]), "kind": AuditKind(members["kind"])})


def chained(entries: Iterable[Entry], head: Head) -> Iterator[dict[str, Any]]:
    """The entries with number, previous and digest, following a head."""
    for entry in entries:
        members = {**written(entry), "number": head.number + 1, "previous": head.digest}
        head = Head(head.number + 1, digest_of(members))
        yield {**members, "digest": head.digest}


@dataclass(slots=True)
class Group:
    """Refusals of one minute that have something in common."""

    first: Entry
    until: datetime
    more: int = 0
    """How many came after the first."""
    region: str | None = None
    """The smallest region that those after the first were about."""

    def add(self, entry: Entry) -> None:
        """One more after the first."""
        self.region = common_region([self.region, entry.region]) if self.more else entry.region
        self.more, self.until = self.more + 1, entry.at

    def entry(self, new_id: UUID) -> Entry:
        """Those after the first, as one entry."""
        members = {name: getattr(self.first, name) for name in MEMBERS}
        summed_up = {"count": self.more, "until": self.until, "region": self.region, "request_id": None}
        return Entry(**{**members, **summed_up, "id": new_id})


@dataclass(slots=True)
class Refusals:
    """Counts refusals: the first of a group is told at once, the others of its minute as one number."""

    _groups: dict[tuple[Any, ...], Group] = field(default_factory=dict)

    def add(self, entry: Entry) -> Entry | None:
        """Count one; gives what is to be recorded at once."""
        minute = entry.at.replace(second=0, microsecond=0)
        key: tuple[Any, ...] = (minute, entry.status, entry.operation, entry.caller or entry.address)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = (minute, entry.status)
            entry = Entry(id=entry.id, kind=entry.kind, at=entry.at, status=entry.status, note="further callers")
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = Group(entry, entry.at)
            return entry
        group.add(entry)
        return None

    def over(self, now: datetime) -> list[Group]:
        """Take the groups whose minute is over and that hold more than their first; the others are forgotten."""
        minute = now.replace(second=0, microsecond=0)
        past = [key for key in self._groups if key[0] < minute]
        groups = [self._groups.pop(key) for key in past]
        return [group for group in groups if group.more]

    def all(self) -> list[Group]:
        """Take all groups that hold more than their first: the process ends."""
        groups, self._groups = list(self._groups.values()), {}
        return [group for group in groups if group.more]
