"""The classes of a region's villages were determined for a period."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.events.base import Event
from contracts.events.determination import IssuedDetermination


class DeterminationIssued(Event):
    """The classes of a region's villages were determined for a period."""

    stream: ClassVar[str] = "KKB_SCORING"
    addressed: ClassVar[str] = (
        "Code of the determined region, its parts as tokens: 33.26; subscribe with 33.26 for itself, 33.> for those below"
    )
    type: Literal["id.kampungkb.scoring.determination-issued.v1"] = "id.kampungkb.scoring.determination-issued.v1"
    data: IssuedDetermination
