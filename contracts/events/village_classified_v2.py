"""A village's class, scores, completeness or what is missing changed, under a ruleset that may give no class."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.classification_v2 import ClassificationV2


class VillageClassifiedV2(Event):
    """A village's class, scores, completeness or what is missing changed, under a ruleset that may give no class.

    Under a ruleset that gives every village a class, version 1 is told instead. Both are of one entity.
    """

    stream: ClassVar[str] = "KKB_SCORING"
    type: Literal["id.kampungkb.scoring.village-classified.v2"] = "id.kampungkb.scoring.village-classified.v2"
    data: ClassificationV2
