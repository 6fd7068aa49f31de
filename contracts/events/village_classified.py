"""A village's class, scores or completeness changed."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.classification import Classification


class VillageClassified(Event):
    """A village's class, scores or completeness changed, under a ruleset that gives every village a class.

    Under one that may give none, version 2 is told instead. Both are of one entity: the newer of them says what holds.
    """

    stream: ClassVar[str] = "KKB_SCORING"
    type: Literal["id.kampungkb.scoring.village-classified.v1"] = "id.kampungkb.scoring.village-classified.v1"
    data: Classification
