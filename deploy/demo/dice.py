"""Chance that falls the same way everywhere: on any machine, under any Python, in any order of the villages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

Span = tuple[int, int]
"""Lowest and highest whole number, both included."""


class Dice:
    """Dice named by words. Built on `random()` alone, the one sequence Python promises never to change."""

    def __init__(self, *names: str) -> None:
        self._random = random.Random("/".join(names))  # noqa: S311 - made-up facts, no secret

    def between(self, span: Span) -> int:
        """A whole number of the span."""
        low, high = span
        return low + int(self._random.random() * (high - low + 1))

    def share(self, low: float, high: float) -> float:
        """A fraction from low up to high."""
        return low + self._random.random() * (high - low)

    def chance(self, probability: float) -> bool:
        """True with this probability; never with 0, always with 1."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.between((0, len(items) - 1))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in chance order."""
        rest = list(items)
        return [rest.pop(self.between((0, len(rest) - 1))) for _ in items]

    def some(self, items: Sequence[T], number: int) -> list[T]:
        """`number` different items, in the order they stand in."""
        chosen = set(self.shuffled(range(len(items)))[:number])
        return [item for place, item in enumerate(items) if place in chosen]

    def split(self, total: int, weights: Sequence[float]) -> list[int]:
        """The total cut into whole parts about as the weights, each moved by up to a fifth; the parts add up exactly."""
        moved = [weight * self.share(0.8, 1.2) for weight in weights]
        whole = sum(moved)
        cuts = [0, *(round(total * sum(moved[: place + 1]) / whole) for place in range(len(moved) - 1)), total]
        return [high - low for low, high in pairwise(cuts)]
