"""Two rulesets over the same villages, as array operations over a batch; and the sum of many batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.classes import VillageClass
from services.scoring.rulesets.columns import Columns, VillageFacts
from services.scoring.rulesets.engine import NOT_ASSESSABLE, Engine, dimension_index

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CLASSES: tuple[VillageClass | None, ...] = (*VillageClass, None)
"""What a village can be classed as, not assessable last: -1 as a place finds it, too."""


class Pair:
    """Two rulesets and which of their indicators are which: one of a code is the same indicator in both."""

    def __init__(self, a: Engine, b: Engine) -> None:
        self.a, self.b = a, b
        self.codes = list(dict.fromkeys([*a.codes, *b.codes]))
        self.places = [(_place(a, code), _place(b, code)) for code in self.codes]

    def compare(self, villages: Sequence[VillageFacts]) -> Compared:
        """What both make of villages, in their order. Long for thousands: run it in a thread."""
        # read once for both: that is most of the work
        columns = Columns(villages, {*self.a.paths, *self.b.paths})
        before, after = self.a.evaluate_columns(columns), self.b.evaluate_columns(columns)
        classes_a, classes_b = _classes(self.a, before.classes), _classes(self.b, after.classes)
        sides = [(_column(before.scores, one), _column(after.scores, other)) for one, other in self.places]
        differs = np.stack([one != other for one, other in sides], axis=1)
        alone = np.zeros_like(differs)
        changed = classes_a != classes_b
        for place, ((own, there), (_, given)) in enumerate(zip(self.places, sides, strict=True)):
            rows = np.flatnonzero(changed & differs[:, place])
            if own is not None and there is not None and rows.size:
                scores = before.scores[rows]
                scores[:, own] = given[rows]
                alone[rows, place] = _classes(self.a, self._classes_of(scores)) == classes_b[rows]
        return Compared(self, classes_a, classes_b, before.scores, after.scores, differs, alone)

    def _classes_of(self, scores: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        indexes = [dimension_index(dimension, scores) for dimension in self.a.dimensions]
        return self.a.classes_of(np.stack(indexes, axis=1))


@dataclass(frozen=True)
class Compared:
    """What two rulesets make of n villages.

    classes: places in CLASSES. scores: n x each ruleset's indicators. differs, alone: n x all indicators of the pair;
    an indicator that only one of them has differs where it gives a score, and never decides alone.
    """

    pair: Pair
    classes_a: Ints
    classes_b: Ints
    scores_a: npt.NDArray[np.int8]
    scores_b: npt.NDArray[np.int8]
    differs: Bools
    alone: Bools

    @property
    def changed(self) -> Bools:
        """Whose class differs."""
        changed: Bools = self.classes_a != self.classes_b
        return changed

    def differences(self, row: int) -> Iterator[tuple[str, int | None, int | None]]:
        """Indicators whose scores differ: code, score in a, score in b; None where there is none."""
        for place in np.flatnonzero(self.differs[row]):
            one, other = self.pair.places[place]
            yield self.pair.codes[place], _score(self.scores_a, row, one), _score(self.scores_b, row, other)


@dataclass(frozen=True)
class IndicatorTally:
    """Villages in which an indicator's scores differ; of those whose class changes; those it alone changes."""

    code: str
    differs: int
    differs_where_changed: int
    decided_alone: int


Transition = tuple[str, int, int]
"""Part of the region, class in a, class in b (places in CLASSES)."""


@dataclass
class Summary:
    """The sum of batches: villages, and made-up ones among them, by transition; and by indicator."""

    pair: Pair
    villages: Counter[Transition] = field(default_factory=Counter)
    simulated: Counter[Transition] = field(default_factory=Counter)
    decided_by_none: int = 0
    """Villages whose class changes though no single indicator would change it to that."""

    def __post_init__(self) -> None:
        self._counts = np.zeros((3, len(self.pair.codes)), dtype=np.int64)

    def add(self, compared: Compared, parts: Sequence[str], simulated: Sequence[bool]) -> None:
        """Count a batch; `parts` are the parts of the region that its villages lie in."""
        moves = list(zip(parts, compared.classes_a.tolist(), compared.classes_b.tolist(), strict=True))
        self.villages.update(moves)
        self.simulated.update(move for move, made_up in zip(moves, simulated, strict=True) if made_up)
        changed = compared.changed
        self.decided_by_none += int((changed & ~compared.alone.any(axis=1)).sum())
        self._counts += [
            compared.differs.sum(axis=0),
            compared.differs[changed].sum(axis=0),
            compared.alone.sum(axis=0),
        ]

    @property
    def indicators(self) -> list[IndicatorTally]:
        """By indicator, in the order of the first ruleset, then those that only the other has."""
        rows = zip(self.pair.codes, self._counts.T.tolist(), strict=True)
        return [IndicatorTally(code, *counts) for code, counts in rows]


def _place(engine: Engine, code: str) -> int | None:
    return engine.codes.index(code) if code in engine.codes else None


def _classes(engine: Engine, places: npt.NDArray[np.int8]) -> Ints:
    """Places in a ruleset's own list of classes as places in CLASSES; -1, not assessable, is the last of both."""
    own = [CLASSES.index(one) for one in [*engine.classes, None]]
    found: Ints = np.array(own, dtype=np.int64)[places]
    return found


def _column(scores: npt.NDArray[np.int8], place: int | None) -> npt.NDArray[np.int8]:
    return np.full(len(scores), NOT_ASSESSABLE, dtype=np.int8) if place is None else scores[:, place]


def _score(scores: npt.NDArray[Any], row: int, place: int | None) -> int | None:
    return None if place is None else int(scores[row, place]) or None
