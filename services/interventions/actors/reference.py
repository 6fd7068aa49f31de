"""The actor list: who takes part in interventions, by stable code, with its pentahelix kind.

37 kinds of institutions of Web Kampung KB's list (instansi) and media, which that list lacks. A code is never removed
or given another meaning: interventions keep it.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.interventions.provenance import Certainty, Provenance, Reference, repeated

ActorCode = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]

OTHER_ACTOR = "lainnya"
"""The actor that is no kind of the list: whoever names it says in words who it was."""


class Pentahelix(StrEnum):
    """The five parties of the pentahelix (Perka BKKBN 204/PER/G2/2015)."""

    PEMERINTAH = "pemerintah"
    AKADEMISI = "akademisi"
    DUNIA_USAHA = "dunia_usaha"
    KOMUNITAS = "komunitas"
    MEDIA = "media"


class Actor(Reference):
    """One kind of institution.

    `pentahelix` holds the parties it can belong to: one where its kind settles it, two where it depends on the owner
    (a hospital or clinic is public or private), none where nothing is known (lainnya).
    """

    code: ActorCode
    web_kkb_number: int | None = Field(ge=1, le=37, description="Number in Web Kampung KB's list; null = not in it")
    name: str
    short_name: str
    pentahelix: tuple[Pentahelix, ...]
    pentahelix_certainty: Certainty
    programme_own: bool = Field(description="An agency of the programme itself; other sectors are counted without it")
    certainty: Certainty
    note: str | None


class ActorList(Reference):
    """The whole list, checked: each code and each number of the predecessor once, lainnya among them."""

    edition: str
    provenance: tuple[Provenance, ...]
    actors: tuple[Actor, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if twice := repeated([actor.code for actor in self.actors]):
            raise ValueError(f"actor codes occur twice: {twice}")
        numbers = sorted(actor.web_kkb_number for actor in self.actors if actor.web_kkb_number is not None)
        if numbers != list(range(1, 38)):
            raise ValueError("numbers 1 to 37 of the predecessor's list must occur exactly once each")
        if OTHER_ACTOR not in {actor.code for actor in self.actors}:
            raise ValueError(f"the actor {OTHER_ACTOR} is missing")
        return self

    @property
    def by_code(self) -> dict[str, Actor]:
        """The actors by their code."""
        return {actor.code: actor for actor in self.actors}


@cache
def actor_list() -> ActorList:
    """The actor list as shipped, read and checked once."""
    return ActorList.model_validate_json(files(__package__).joinpath("actors.json").read_bytes())


@cache
def actors_by_code() -> dict[str, Actor]:
    """The shipped actors by their code."""
    return actor_list().by_code
