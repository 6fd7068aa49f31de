"""A classification as its event carries it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from contracts.classes import VillageClass
from contracts.events.base import EventData, VillageKey


class Classification(EventData):
    """The new class of a village under one ruleset; `village.version` is the assessment's own version."""

    village: VillageKey
    ruleset: str
    ruleset_digest: str
    village_class: VillageClass
    previous_class: VillageClass | None = Field(
        description="Null at the first assessment, and where the one before had none"
    )
    scores: dict[str, int]
    indexes: dict[str, str] = Field(description="Decimal strings with two places")
    answered: int = Field(description="Inputs of the ruleset that were reported")
    asked: int = Field(description="Inputs that the ruleset asks for")
    simulated: bool
    assessed_at: datetime

    @property
    def entity(self) -> str:
        """One a village: the class under the ruleset in force."""
        return f"assessment/{self.village.id}"
