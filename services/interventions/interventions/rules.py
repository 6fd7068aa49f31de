"""Rules of an intervention itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

PROGRAMME_BEGAN = date(2016, 1, 1)
"""The first Kampung KB was launched in January 2016; nothing was done at one before."""


def date_problem(day: date, today: date) -> str | None:
    """What is wrong with the day of an intervention, if anything."""
    if day < PROGRAMME_BEGAN:
        return "the programme began on 2016-01-01; nothing was done at a Kampung KB before"
    if day > today:
        return "this day lies in the future; an intervention is recorded once it was carried out"
    return None


def words_problem(*, is_other: bool, words: str | None) -> str | None:
    """What is wrong with the free text beside a code, if anything: lainnya needs it, nothing else has it."""
    if is_other and words is None:
        return "lainnya needs words that say who"
    if not is_other and words is not None:
        return "only lainnya is described in words"
    return None


def party_problem(possible: Sequence[str], stated: str | None) -> str | None:
    """What is wrong with the pentahelix party that a reporter stated for an actor, if anything.

    `possible` are the parties the kind of institution can belong to; none means that any can be right.
    """
    if stated is not None and possible and stated not in possible:
        return f"this actor belongs to {' or '.join(possible)}"
    return None


def party_of(possible: Sequence[str], stated: str | None) -> str | None:
    """The pentahelix party of an actor: its only possible one, else what was stated; None where nobody said."""
    return possible[0] if len(possible) == 1 else stated


def repeated_at(values: Iterable[tuple[str, str | None]]) -> list[int]:
    """Positions of those that occurred before; free text is compared without regard to case."""
    seen: set[tuple[str, str | None]] = set()
    positions = []
    for position, (code, words) in enumerate(values):
        key = (code, None if words is None else words.casefold())
        if key in seen:
            positions.append(position)
        seen.add(key)
    return positions
