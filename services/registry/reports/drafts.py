"""A report on its way in, from the API or from an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from contracts.facts import AnyFacts, ReportKind

Key = tuple[UUID, ReportKind, str, str]
"""Village, kind, period, source system: what has one current revision."""


@dataclass(frozen=True)
class Draft:
    """A report to store; `facts` are validated already."""

    village_id: UUID
    kind: ReportKind
    period: str
    facts: AnyFacts
    source_system: str
    simulated: bool
    source_reference: str | None = None

    @property
    def key(self) -> Key:
        """Where the report belongs."""
        return (self.village_id, self.kind, self.period, self.source_system)


@dataclass
class Stored:
    """What became of a batch of drafts."""

    new: list[Draft] = field(default_factory=list)
    revised: list[Draft] = field(default_factory=list)
    unchanged: list[Draft] = field(default_factory=list)
    findings_opened: int = 0

    @property
    def changed(self) -> list[Draft]:
        """Drafts that became a revision."""
        return [*self.new, *self.revised]


def facts_json(facts: AnyFacts) -> dict[str, Any]:
    """Facts as they are stored and compared: every field, null where not reported."""
    return facts.model_dump(mode="json")
