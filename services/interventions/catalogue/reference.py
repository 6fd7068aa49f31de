"""The lists an intervention is described with: Inpres 3/2022, family functions, target groups, funding sources.

A code is never removed or given another meaning: interventions keep it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.facts import FundingSource
from services.interventions.provenance import Provenance, Reference, repeated

Code = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$", max_length=60)]
ProgrammeCode = Annotated[str, Field(pattern=r"^[1-8]$", description="Number of the programme, 1-8")]
KegiatanCode = Annotated[str, Field(pattern=r"^[1-8]-[0-9]{2}$", description='Programme and number, like "3-02"')]

OTHER_TARGET_GROUP = "lainnya"
"""The target group that is none of the list: whoever names it says in words who it was."""


class ResponsibleBody(Reference):
    """A penanggung jawab: a ministry, an agency or a level of government."""

    code: Code
    name: str


class Kegiatan(Reference):
    """One of the 58 kegiatan and the body that answers for it."""

    code: KegiatanCode
    name: str
    responsible: Code
    note: str | None


class Programme(Reference):
    """One of the 8 programmes with its kegiatan."""

    code: ProgrammeCode
    name: str
    kegiatan: tuple[Kegiatan, ...]

    @model_validator(mode="after")
    def _numbers_its_kegiatan(self) -> Self:
        expected = [f"{self.code}-{number:02d}" for number in range(1, len(self.kegiatan) + 1)]
        if [kegiatan.code for kegiatan in self.kegiatan] != expected:
            raise ValueError(f"kegiatan of programme {self.code} must be numbered {expected[:1]} to {expected[-1:]}")
        return self


class Sasaran(Reference):
    """One of the 4 sasaran, the bodies named for it, and its programmes."""

    code: Annotated[str, Field(pattern=r"^[1-4]$")]
    name: str
    responsible: tuple[Code, ...]
    programmes: tuple[Programme, ...]


class InpresCatalogue(Reference):
    """Inpres 3/2022 as a catalogue: sasaran, programmes, kegiatan; every reference resolves."""

    edition: str
    title: str
    provenance: tuple[Provenance, ...]
    bodies: tuple[ResponsibleBody, ...]
    sasaran: tuple[Sasaran, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        codes = [
            *(body.code for body in self.bodies),
            *(f"sasaran {sasaran.code}" for sasaran in self.sasaran),
            *(f"programme {programme.code}" for programme in self.programmes),
        ]
        if twice := repeated(codes):
            raise ValueError(f"codes occur twice: {twice}")
        named = {code for sasaran in self.sasaran for code in sasaran.responsible}
        named |= {kegiatan.responsible for programme in self.programmes for kegiatan in programme.kegiatan}
        if unknown := named - {body.code for body in self.bodies}:
            raise ValueError(f"responsible bodies are not listed: {sorted(unknown)}")
        return self

    @property
    def programmes(self) -> tuple[Programme, ...]:
        """The programmes of all sasaran, in order."""
        return tuple(programme for sasaran in self.sasaran for programme in sasaran.programmes)


class FamilyFunction(Reference):
    """One of the 8 functions of the family, or lainnya; with the pokja's seksi of the old structure."""

    code: Code
    web_kkb_number: int
    name: str
    seksi: str | None


class FamilyFunctionList(Reference):
    """The 8 family functions and lainnya."""

    edition: str
    provenance: tuple[Provenance, ...]
    family_functions: tuple[FamilyFunction, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if twice := repeated([function.code for function in self.family_functions]):
            raise ValueError(f"family functions occur twice: {twice}")
        return self


class TargetGroup(Reference):
    """Whom an intervention is for (sasaran kegiatan)."""

    code: Code
    web_kkb_number: int
    name: str


class TargetGroupList(Reference):
    """The target groups, lainnya among them."""

    edition: str
    provenance: tuple[Provenance, ...]
    target_groups: tuple[TargetGroup, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        codes = [group.code for group in self.target_groups]
        if twice := repeated(codes):
            raise ValueError(f"target groups occur twice: {twice}")
        if OTHER_TARGET_GROUP not in codes:
            raise ValueError(f"the target group {OTHER_TARGET_GROUP} is missing")
        return self


class FundingSourceName(Reference):
    """A funding source (sumber dana) of the contracts with its name."""

    code: FundingSource
    web_kkb_number: int
    name: str


class FundingSourceList(Reference):
    """Every funding source of the contracts, named once."""

    edition: str
    provenance: tuple[Provenance, ...]
    funding_sources: tuple[FundingSourceName, ...]

    @model_validator(mode="after")
    def _names_every_source_once(self) -> Self:
        if sorted(source.code for source in self.funding_sources) != sorted(FundingSource):
            raise ValueError("every funding source of the contracts must be named exactly once")
        return self


def _document(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


@cache
def inpres_catalogue() -> InpresCatalogue:
    """Inpres 3/2022 as shipped, read and checked once."""
    return InpresCatalogue.model_validate_json(_document("inpres.json"))


@cache
def family_function_list() -> FamilyFunctionList:
    """The family functions as shipped, read and checked once."""
    return FamilyFunctionList.model_validate_json(_document("family_functions.json"))


@cache
def target_group_list() -> TargetGroupList:
    """The target groups as shipped, read and checked once."""
    return TargetGroupList.model_validate_json(_document("target_groups.json"))


@cache
def funding_source_list() -> FundingSourceList:
    """The funding sources as shipped, read and checked once."""
    return FundingSourceList.model_validate_json(_document("funding_sources.json"))


@cache
def kegiatan_by_code() -> dict[str, Kegiatan]:
    """The 58 kegiatan by code."""
    return {kegiatan.code: kegiatan for programme in inpres_catalogue().programmes for kegiatan in programme.kegiatan}


@cache
def family_functions_by_code() -> dict[str, FamilyFunction]:
    """The family functions by code."""
    return {function.code: function for function in family_function_list().family_functions}


@cache
def target_groups_by_code() -> dict[str, TargetGroup]:
    """The target groups by code."""
    return {group.code: group for group in target_group_list().target_groups}
