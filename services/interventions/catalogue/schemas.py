"""What the catalogue room answers beyond its reference documents."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from services.interventions.catalogue.reference import (
    InpresCatalogue,
    Kegiatan,
    Programme,
    ResponsibleBody,
    Sasaran,
)
from services.interventions.provenance import Provenance


class NoFilters(BaseModel):
    """A list that is answered whole: any query parameter is refused."""

    model_config = ConfigDict(extra="forbid")


class ProgrammeFilters(BaseModel):
    """Filters of the list of programmes; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    sasaran: Annotated[str, Field(pattern=r"^[1-4]$")] | None = Field(
        None, description="Only programmes of this sasaran"
    )


class KegiatanOut(BaseModel):
    """A kegiatan with its place in the catalogue and the body that answers for it."""

    code: str = Field(examples=["3-02"])
    name: str
    programme: str = Field(description="Code of its programme, 1-8")
    sasaran: str = Field(description="Code of its sasaran, 1-4")
    responsible: ResponsibleBody
    note: str | None

    @classmethod
    def of(cls, catalogue: InpresCatalogue, sasaran: Sasaran, programme: Programme, kegiatan: Kegiatan) -> Self:
        """From its place in the catalogue."""
        return cls(
            code=kegiatan.code,
            name=kegiatan.name,
            programme=programme.code,
            sasaran=sasaran.code,
            responsible=next(body for body in catalogue.bodies if body.code == kegiatan.responsible),
            note=kegiatan.note,
        )


class ProgrammeOut(BaseModel):
    """A programme with its kegiatan."""

    code: str = Field(examples=["3"])
    name: str
    sasaran: str = Field(description="Code of its sasaran, 1-4")
    kegiatan: list[KegiatanOut]

    @classmethod
    def of(cls, catalogue: InpresCatalogue, sasaran: Sasaran, programme: Programme) -> Self:
        """From its place in the catalogue."""
        kegiatan = [KegiatanOut.of(catalogue, sasaran, programme, kegiatan) for kegiatan in programme.kegiatan]
        return cls(code=programme.code, name=programme.name, sasaran=sasaran.code, kegiatan=kegiatan)


class ProgrammeList(BaseModel):
    """The programmes of Inpres 3/2022 with what they rest on."""

    edition: str
    title: str
    provenance: list[Provenance]
    programmes: list[ProgrammeOut]
