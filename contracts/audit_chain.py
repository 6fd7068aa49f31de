"""The chain of the audit trail: what an entry's digest covers, and what is wrong with a chain.

Gateway and `kkb audit verify` read the same rules here; anybody else can follow them with a JSON and a SHA-256 library.
An entry is a JSON object as the API gives it. Its `digest` covers all other members, `number` (1, 2, 3, ... without
gaps) and `previous` (the digest of the entry before) among them, so that no entry can be changed, removed, added or
moved without every later one showing it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.canonical import canonical

GENESIS = "0" * 64
"""What stands for the digest before the first entry."""

_NEARBY = 200
"""How far around its place a moved entry's true place is looked for."""


class Fault(StrEnum):
    """What can be wrong."""

    CHANGED = "changed"
    """An entry is not what its digest covers."""
    REPLACED = "replaced"
    """An entry has another digest than the one its successor was chained to."""
    MISSING = "missing"
    MOVED = "moved"
    ADDED = "added"
    """An entry beyond the head, or one whose number was there before."""
    NOT_AS_NOTED = "not_as_noted"
    """The chain is whole in itself, but it is not the one whose head was noted earlier."""


@dataclass(frozen=True)
class Break:
    """One thing that is wrong, and where."""

    fault: Fault
    number: int
    """Of the entry; of the first one where several are missing."""
    last: int
    """Of the last one; the same as `number` but for missing entries."""
    belongs_at: int | None = None
    """Where a moved entry was written."""


@dataclass(frozen=True)
class Head:
    """The end of a chain: number and digest of its last entry."""

    number: int
    digest: str


START = Head(0, GENESIS)


def digest_of(entry: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of an entry as canonical JSON in UTF-8, without its own `digest`."""
    covered = {name: value for name, value in entry.items() if name != "digest"}
    return hashlib.sha256(canonical(covered).encode()).hexdigest()


class Walk:
    """Follows a chain from its beginning, entry by entry in the order of numbers."""

    def __init__(self, noted: Head | None = None) -> None:
        """`noted`: a head that somebody wrote down earlier, in a place that the database cannot reach."""
        self.at = START
        self._noted = noted
        self._moved = False
        """Whether the entry just seen stands in another's place, so that the next cannot be chained to it."""

    def step(self, entry: Mapping[str, Any]) -> Iterator[Break]:
        """What is wrong with the next entry."""
        number, digest = int(entry["number"]), str(entry["digest"])
        if number <= self.at.number:
            yield Break(Fault.ADDED, number, number)
            return
        if number > self.at.number + 1:
            yield Break(Fault.MISSING, self.at.number + 1, number - 1)
        follows = number == self.at.number + 1 and not self._moved
        self._moved = False
        if digest_of(entry) != digest:
            found = _changed_or_moved(entry, number, digest)
            self._moved = found.fault is Fault.MOVED
            yield found
        elif follows and entry["previous"] != self.at.digest:
            yield _replaced(self.at.number, number)
        self.at = Head(number, digest)
        if self._noted is not None and number == self._noted.number and digest != self._noted.digest:
            yield Break(Fault.NOT_AS_NOTED, number, number)

    def end(self, head: Head) -> Iterator[Break]:
        """What is wrong at the end, where the chain is said to end in `head`."""
        if self.at.number < head.number:
            yield Break(Fault.MISSING, self.at.number + 1, head.number)
        elif self.at.number > head.number:
            yield Break(Fault.ADDED, head.number + 1, self.at.number)
        elif self.at.digest != head.digest:
            yield Break(Fault.REPLACED, head.number, head.number)
        if self._noted is not None and max(self.at.number, head.number) < self._noted.number:
            yield Break(Fault.MISSING, max(self.at.number, head.number) + 1, self._noted.number)


def _replaced(before: int, number: int) -> Break:
    """The entry itself is what its digest covers, so it is the one before that was written anew."""
    place = before or number  # nothing stands before the first one
    return Break(Fault.REPLACED, place, place)


def _changed_or_moved(entry: Mapping[str, Any], number: int, digest: str) -> Break:
    for other in range(max(1, number - _NEARBY), number + _NEARBY + 1):
        if digest_of({**entry, "number": other}) == digest:
            return Break(Fault.MOVED, number, number, belongs_at=other)
    return Break(Fault.CHANGED, number, number)
