"""How far each village is from a higher class, in index points: array operations over a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from contracts.classes import VillageClass

if TYPE_CHECKING:
    from services.scoring.rulesets.engine import Engine, Ints

NO_DISTANCE = 0
"""No class, or none higher; a village that can rise lacks at least one unit."""

_RANKS = {code: rank for rank, code in enumerate(VillageClass)}


def distances_to_next_class(engine: Engine, indexes: Ints, classes: npt.NDArray[np.int8]) -> Ints:
    """The smallest total of missing index points that gives a higher class, in units of the ruleset's finest index.

    `indexes` n x dimensions in units of each dimension's rounding, `classes` n places in the ruleset's list of classes,
    -1 = none. Indexes only rise: a dimension that reaches its threshold goes on reaching it. n numbers, NO_DISTANCE
    where there is nothing to rise to.
    """
    dimensions = engine.dimensions
    finest = finest_decimals(engine)
    scale = np.array([10 ** (finest - dimension.decimals) for dimension in dimensions], dtype=np.int64)
    thresholds = np.array([dimension.threshold for dimension in dimensions], dtype=np.int64)
    short = np.maximum(thresholds - indexes, 0) * scale
    bits = 1 << np.arange(len(dimensions))
    met = (short == 0) @ bits
    ranks = np.array([_RANKS[code] for code in engine.classes])
    own = np.where(classes < 0, len(_RANKS), ranks[classes])
    nearest = np.full(len(indexes), np.iinfo(np.int64).max)
    for combination, place in enumerate(engine.class_of_met):
        reached = ((met & ~combination) == 0) & (ranks[place] > own)
        total = short @ ((combination & bits) > 0).astype(np.int64)
        nearest = np.where(reached, np.minimum(nearest, total), nearest)
    return np.where(nearest == np.iinfo(np.int64).max, NO_DISTANCE, nearest)


def finest_decimals(engine: Engine) -> int:
    """Decimals of the ruleset's finest index, which distances are counted in."""
    return max(dimension.decimals for dimension in engine.dimensions)
