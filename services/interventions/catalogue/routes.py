"""Endpoints of the catalogue room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from kit.access import Caller, Scope, requires
from kit.problems import NotFound, problems
from services.interventions.catalogue.reference import (
    FamilyFunctionList,
    FundingSourceList,
    InpresCatalogue,
    KegiatanCode,
    ProgrammeCode,
    TargetGroupList,
    family_function_list,
    funding_source_list,
    inpres_catalogue,
    target_group_list,
)
from services.interventions.catalogue.schemas import (
    KegiatanOut,
    NoFilters,
    ProgrammeFilters,
    ProgrammeList,
    ProgrammeOut,
)

router = APIRouter(tags=["catalogue"])

CatalogueReader = Annotated[Caller, requires(Scope.INTERVENTIONS_READ)]
Whole = Annotated[NoFilters, Query()]


def _programmes() -> list[ProgrammeOut]:
    catalogue = inpres_catalogue()
    return [
        ProgrammeOut.of(catalogue, sasaran, programme)
        for sasaran in catalogue.sasaran
        for programme in sasaran.programmes
    ]


@router.get("/inpres")
async def get_inpres(_reader: CatalogueReader, _filters: Whole) -> InpresCatalogue:
    """Inpres 3/2022 whole: sasaran, programmes, kegiatan, responsible bodies, and how sure each part is."""
    return inpres_catalogue()


@router.get("/inpres/programmes")
async def list_inpres_programmes(
    _reader: CatalogueReader, filters: Annotated[ProgrammeFilters, Query()]
) -> ProgrammeList:
    """List the 8 programmes with their 58 kegiatan."""
    catalogue = inpres_catalogue()
    return ProgrammeList(
        edition=catalogue.edition,
        title=catalogue.title,
        provenance=list(catalogue.provenance),
        programmes=[p for p in _programmes() if filters.sasaran in (None, p.sasaran)],
    )


@router.get("/inpres/programmes/{code}")
async def get_inpres_programme(code: ProgrammeCode, _reader: CatalogueReader) -> ProgrammeOut:
    """One programme with its kegiatan."""
    return next(programme for programme in _programmes() if programme.code == code)


@router.get("/inpres/kegiatan/{code}", responses=problems(NotFound))
async def get_inpres_kegiatan(code: KegiatanCode, _reader: CatalogueReader) -> KegiatanOut:
    """One kegiatan with the body that answers for it."""
    for programme in _programmes():
        for kegiatan in programme.kegiatan:
            if kegiatan.code == code:
                return kegiatan
    raise NotFound(f"the catalogue has no kegiatan {code}")


@router.get("/family-functions")
async def list_family_functions(_reader: CatalogueReader, _filters: Whole) -> FamilyFunctionList:
    """List the 8 functions of the family and lainnya."""
    return family_function_list()


@router.get("/target-groups")
async def list_target_groups(_reader: CatalogueReader, _filters: Whole) -> TargetGroupList:
    """List the target groups (sasaran kegiatan)."""
    return target_group_list()


@router.get("/funding-sources")
async def list_funding_sources(_reader: CatalogueReader, _filters: Whole) -> FundingSourceList:
    """List the funding sources (sumber dana)."""
    return funding_source_list()
