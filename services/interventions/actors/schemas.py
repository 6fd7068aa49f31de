"""What the actors room takes and answers beyond its reference document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services.interventions.actors.reference import Actor, Pentahelix
from services.interventions.provenance import Provenance


class ActorFilters(BaseModel):
    """Filters of the actor list; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    pentahelix: Pentahelix | None = Field(None, description="Only actors that can belong to this party")


class ActorsOut(BaseModel):
    """Kinds of institutions with what the list rests on."""

    edition: str
    provenance: list[Provenance]
    actors: list[Actor]
