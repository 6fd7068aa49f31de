"""The chain of the audit trail: whatever is done to it, the walk names it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from contracts.audit_chain import GENESIS, START, Break, Fault, Head, Walk, digest_of


def chain(length: int) -> list[dict[str, Any]]:
    """A whole chain, made here from the words of the contract and not by the code under test."""
    entries, previous = [], GENESIS
    for number in range(1, length + 1):
        entry = {
            "number": number,
            "caller_name": f"Kantor {number}, Sidoarjo: café",
            "status": None,
            "previous": previous,
        }
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(text.encode()).hexdigest()
        entries.append({**entry, "digest": previous})
    return entries


def found(entries: list[dict[str, Any]], head: Head, noted: Head | None = None) -> list[Break]:
    walk = Walk(noted)
    return [*(one for entry in entries for one in walk.step(entry)), *walk.end(head)]


def head_of(entries: list[dict[str, Any]]) -> Head:
    return Head(entries[-1]["number"], entries[-1]["digest"])


def chained_anew(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What somebody does who can compute digests, too."""
    previous, anew = GENESIS, []
    for number, entry in enumerate(entries, 1):
        changed = {**entry, "number": number, "previous": previous}
        previous = digest_of(changed)
        anew.append({**changed, "digest": previous})
    return anew


WHOLE = chain(9)
HEAD = head_of(WHOLE)


class TestWalk:
    def test_a_whole_chain(self) -> None:
        assert found(WHOLE, HEAD) == []
        assert found(WHOLE, HEAD, noted=Head(4, WHOLE[3]["digest"])) == []

    def test_an_empty_chain(self) -> None:
        assert found([], START) == []

    @pytest.mark.parametrize("place", [0, 4, 8])
    def test_a_changed_entry(self, place: int) -> None:
        entries = [dict(entry) for entry in WHOLE]
        entries[place]["status"] = 204
        assert found(entries, HEAD) == [Break(Fault.CHANGED, place + 1, place + 1)]

    def test_a_changed_entry_with_a_digest_that_fits(self) -> None:
        entries = [dict(entry) for entry in WHOLE]
        entries[4]["status"] = 204
        entries[4]["digest"] = digest_of(entries[4])
        assert found(entries, HEAD) == [Break(Fault.REPLACED, 5, 5)]

    def test_the_last_entry_changed_with_a_digest_that_fits(self) -> None:
        entries = [dict(entry) for entry in WHOLE]
        entries[8]["status"] = 204
        entries[8]["digest"] = digest_of(entries[8])
        assert found(entries, HEAD) == [Break(Fault.REPLACED, 9, 9)]

    def test_missing_entries(self) -> None:
        assert found(WHOLE[:3] + WHOLE[5:], HEAD) == [Break(Fault.MISSING, 4, 5)]
        assert found(WHOLE[1:], HEAD) == [Break(Fault.MISSING, 1, 1)]
        assert found(WHOLE[:7], HEAD) == [Break(Fault.MISSING, 8, 9)]

    def test_entries_that_changed_places(self) -> None:
        entries = [dict(entry) for entry in WHOLE]
        entries[3], entries[4] = {**entries[4], "number": 4}, {**entries[3], "number": 5}
        assert found(entries, HEAD) == [
            Break(Fault.MOVED, 4, 4, belongs_at=5),
            Break(Fault.MOVED, 5, 5, belongs_at=4),
        ]

    def test_an_entry_added_at_the_end(self) -> None:
        more = chain(10)
        assert found(more, HEAD) == [Break(Fault.ADDED, 10, 10)]

    def test_an_entry_twice(self) -> None:
        assert found([*WHOLE[:5], WHOLE[4], *WHOLE[5:]], HEAD) == [Break(Fault.ADDED, 5, 5)]

    def test_a_past_written_anew_as_a_whole_shows_only_against_a_head_noted_elsewhere(self) -> None:
        noted = Head(8, WHOLE[7]["digest"])
        forged = chained_anew([entry for entry in WHOLE if entry["number"] != 3])
        assert found(forged, head_of(forged)) == []
        assert found(forged, head_of(forged), noted) == [Break(Fault.NOT_AS_NOTED, 8, 8)]

    def test_an_end_cut_off_shows_against_a_head_noted_elsewhere(self) -> None:
        assert found(WHOLE[:6], head_of(WHOLE[:6])) == []
        assert found(WHOLE[:6], head_of(WHOLE[:6]), HEAD) == [Break(Fault.MISSING, 7, 9)]
