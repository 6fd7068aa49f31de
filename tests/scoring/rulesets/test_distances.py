"""How far a village is from a higher class, against trying every combination one village at a time."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from contracts.classes import VillageClass
from services.scoring.rulesets.distances import NO_DISTANCE, distances_to_next_class
from services.scoring.rulesets.engine import Engine
from services.scoring.rulesets.library import first_in_force
from tests.scoring.rulesets.made_villages import family_planning, profile, village

RANKS = list(VillageClass)


def plainly(engine: Engine, indexes: dict[str, Decimal], own: VillageClass) -> Decimal | None:
    """The definition, word by word."""
    thresholds = {dimension.code: dimension.threshold for dimension in engine.ruleset.dimensions}
    lacking = {code: max(threshold - indexes[code], Decimal(0)) for code, threshold in thresholds.items()}
    classes = {frozenset(row.met): row.village_class for row in engine.ruleset.class_matrix}
    already = {code for code, lack in lacking.items() if not lack}
    totals = [
        sum((lacking[code] for code in risen), Decimal(0))
        for size in range(len(thresholds) + 1)
        for risen in combinations(sorted(set(thresholds) - already), size)
        if RANKS.index(classes[frozenset(already.union(risen))]) > RANKS.index(own)
    ]
    return min(totals, default=None)


def of(**facts: Any) -> str | None:
    return first_in_force().evaluate([village(**facts)]).distance_of(0)


def test_against_the_definition() -> None:
    engine, dice = first_in_force(), random.Random(11)
    indexes = np.array([[dice.randint(100, 400) for _ in range(3)] for _ in range(2_000)])
    classes = engine.classes_of(indexes)
    found = distances_to_next_class(engine, indexes, classes)
    codes = [dimension.code for dimension in engine.dimensions]
    for row, place, distance in zip(indexes.tolist(), classes, found.tolist(), strict=True):
        plain = dict(zip(codes, (Decimal(units) / 100 for units in row), strict=True))
        expected = plainly(engine, plain, engine.classes[place])
        assert (None if distance == NO_DISTANCE else Decimal(distance) / 100) == expected, row


def test_the_highest_class_has_none() -> None:
    assert of() is None


def test_only_what_is_missing_counts() -> None:
    """Case B of the worked cases: berkembang, and output 1.00 of 3.00 is what it lacks."""
    weak = {"family_planning": family_planning(participation=0, users=20, long_acting=0, unmet=27)}
    assert of(**weak) == "2.00"


def test_the_nearest_of_several_ways_up() -> None:
    """Only the output is met: to mandiri the process (0.67 missing) is nearer than the input (1.40)."""
    poor = profile(funds=1, groups=2, data=2, mechanisms=2, pokja=False, secretariat=False, rumah_dataku=False)
    evaluation = first_in_force().evaluate([village(profile=poor | {"plkb_companion": False})])
    assert (evaluation.village_class(0), evaluation.indexes_of(0)["proses"]) == (VillageClass.DASAR, "2.67")
    assert evaluation.distance_of(0) == "0.33"


@pytest.mark.parametrize("classes", [np.array([-1], dtype=np.int8)])
def test_no_class_no_distance(classes: Any) -> None:
    assert distances_to_next_class(first_in_force(), np.array([[0, 300, 300]]), classes).tolist() == [NO_DISTANCE]


def test_dimensions_with_different_decimals_are_added_in_the_finest() -> None:
    engine = first_in_force()
    document = engine.ruleset.model_copy(
        update={
            "dimensions": [
                dimension.model_copy(update={"rounding": dimension.rounding.model_copy(update={"decimals": decimals})})
                for dimension, decimals in zip(engine.ruleset.dimensions, (0, 1, 2), strict=True)
            ]
        }
    )
    # input 2, proses 2.5, output 2.75: nearest to berkembang are input and proses, to mandiri proses and output
    indexes, other = np.array([[2, 25, 275]]), Engine(document)
    assert distances_to_next_class(other, indexes, other.classes_of(indexes)).tolist() == [75]
