"""Which level a region's parts are of, or the problem with what was asked."""

from __future__ import annotations

from contracts.regions import LEVELS, RegionLevel, level_of
from kit.problems import Invalid
from services.scoring.class_counts.rules import parts_level


def level_asked(region: str | None, asked: RegionLevel | None) -> RegionLevel:
    """The level to count a region by.

    Raises:
        Invalid: the parts would be incomplete, or single villages of more than a district.
    """
    own = None if region is None else level_of(region)
    try:
        return RegionLevel(parts_level(LEVELS, own, asked))
    except ValueError as error:
        raise Invalid(str(error), errors=[{"pointer": "query:by", "detail": str(error)}]) from error
