"""A classification that may have no class, as its event carries it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from contracts.classes import VillageClass
from contracts.events.base import EventData, VillageKey
from contracts.reasons import ReasonCode


class ClassificationV2(EventData):
    """What a village is classed as under a ruleset that may give no class; `village.version` is the assessment's own.

    Null is "not assessable": never a lowest class, score or index.
    """

    village: VillageKey
    ruleset: str
    ruleset_digest: str
    village_class: VillageClass | None = Field(description="Null where not assessable")
    previous_class: VillageClass | None = Field(
        description="What was last told before; null where that was no class, and at the first assessment (version 1)"
    )
    scores: dict[str, int | None] = Field(description="By every indicator of the ruleset; null where not assessable")
    indexes: dict[str, str | None] = Field(
        description="Decimal strings by every dimension of the ruleset; null where not assessable"
    )
    reasons: dict[str, list[ReasonCode]] = Field(description="By each indicator without a score: why it has none")
    answered: int = Field(description="Inputs of the ruleset that were reported")
    asked: int = Field(description="Inputs that the ruleset asks for")
    simulated: bool
    assessed_at: datetime

    @property
    def entity(self) -> str:
        """One a village, the same as of version 1: of both versions' events the newest says what holds."""
        return f"assessment/{self.village.id}"
