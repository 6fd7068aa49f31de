"""What the rulesets room takes and answers."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, Field

from contracts.facts import Facts, FamilyPlanningFacts, PopulationFacts, ProfileFacts
from services.scoring.rulesets.document import ActorCode, ActorNumber, Labels, LegalBasis, Ruleset, Status
from services.scoring.rulesets.engine import Engine

MOST_VILLAGES = 5_000
"""Most villages evaluated in one call."""


class InterventionFacts(Facts):
    """What counts of an intervention: who took part."""

    actors: list[ActorNumber | ActorCode] | None = None


class VillageFactsIn(Facts):
    """A village to evaluate. Null or left out means not reported, a whole report as well as a single answer."""

    profile: ProfileFacts | None = None
    population: PopulationFacts | None = None
    family_planning: FamilyPlanningFacts | None = None
    interventions: list[InterventionFacts] | None = None


EvaluationOut = dict[str, int | str | None]
"""Score by indicator, index_<dimension> as decimal strings, class; null where not assessable."""


class RulesetOut(BaseModel):
    """A ruleset in brief."""

    id: str
    version: int
    status: Status
    effective_from: date | None = Field(description="Null where no legal act that says so was sighted")
    effective_to: date | None
    labels: Labels
    legal_basis: LegalBasis
    digest: str = Field(description="SHA-256 of the document as canonical JSON (keys sorted, no blanks, UTF-8)")
    in_force: bool

    @classmethod
    def of(cls, engine: Engine, in_force: str) -> Self:
        """From a compiled ruleset and the id of the one in force."""
        brief = {name: getattr(engine.ruleset, name) for name in cls.model_fields if name in Ruleset.model_fields}
        return cls(**brief, digest=engine.digest, in_force=engine.ruleset.id == in_force)


class RulesetDetail(RulesetOut):
    """A ruleset with its whole document."""

    document: Ruleset
