"""Rules of determinations: which period is over, what the digest covers, what the list adds up to."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.canonical import canonical
from services.scoring.assessments.rules import day_of

FORMAT = 1
"""How the digest of determinations issued now is made."""
MOST_VILLAGES = 10_000
"""Most villages of one determination, so that it is issued well within a request's time also on a busy machine: above the
8,563 of the largest province. The country is determined province by province."""


def last_day(period: str) -> dt.date:
    """The last day of a month YYYY-MM."""
    return day_of(period, dt.date.max)


def is_over(period: str, today: dt.date) -> bool:
    """Whether a month has ended, today's date being that of the place where days end last."""
    return last_day(period) < today


def content(header: Mapping[str, Any], villages: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """What a digest covers, `{"header": ..., "villages": [...]}` as canonical JSON in UTF-8, in parts."""
    yield f'{{"header":{canonical(header)},"villages":['.encode()
    for place, village in enumerate(villages):
        yield f"{',' if place else ''}{canonical(village)}".encode()
    yield b"]}"


def digest_of(header: Mapping[str, Any], villages: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 (hex) of the content."""
    digest = hashlib.sha256()
    for part in content(header, villages):
        digest.update(part)
    return digest.hexdigest()


@dataclass(frozen=True)
class Tally:
    """What a list adds up to. `classes` has every class, also those without villages."""

    villages: int
    classes: dict[str, int]
    not_assessable: int
    without_reports: int
    simulated: int


def tally(entries: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> Tally:
    """Count a list's entries."""
    found = Counter(entry["class"] for entry in entries)
    return Tally(
        villages=len(entries),
        classes={kind: found[kind] for kind in classes},
        not_assessable=found[None],
        without_reports=sum(entry["without_reports"] for entry in entries),
        simulated=sum(entry["simulated"] for entry in entries),
    )


def twice(codes: Iterable[str]) -> list[str]:
    """Codes that appear more than once, in order."""
    return sorted(code for code, times in Counter(codes).items() if times > 1)
