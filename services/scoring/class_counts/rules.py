"""Rules of counting: which parts a region can be counted by."""

from __future__ import annotations

from collections.abc import Sequence


def parts_level(levels: Sequence[str], region_level: str | None, asked: str | None) -> str:
    """The level to count by: the one asked for, or one below the region (the region's own at the lowest level).

    `levels` are ordered from the highest; a region level of None is the whole country.

    Raises:
        ValueError: parts above the region would be shown incomplete, and villages of more than a district are a list.
    """
    place = -1 if region_level is None else levels.index(region_level)
    lowest = len(levels) - 1
    if asked is None:
        return levels[min(place + 1, lowest)]
    if levels.index(asked) < place:
        raise ValueError(f"a {region_level} cannot be counted by {asked}: the parts would be incomplete")
    if levels.index(asked) == lowest and place < lowest - 1:
        raise ValueError("villages are counted one by one only within a district; use the list of assessments")
    return asked
