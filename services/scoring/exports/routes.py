"""Endpoints of the exports room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.openapi import HEAVY
from kit.problems import RegionForbidden, problems
from kit.spreadsheets import CsvTable, Sheet, Spool, XlsxTable, spooled
from services.scoring.assessments.lists import meant
from services.scoring.assessments.schemas import AssessmentFilters
from services.scoring.exports import presenting, store
from services.scoring.rulesets.library import in_force

router = APIRouter(prefix="/assessments", tags=["assessments"])

Exporter = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]


@router.get("/export.csv", responses=problems(RegionForbidden), response_class=CsvTable, openapi_extra=HEAVY)
async def export_assessments_csv(
    exporter: Exporter, session: Session, filters: Annotated[AssessmentFilters, Query()]
) -> Response:
    """Every village with its scores, indexes and class as CSV for Excel: UTF-8 with BOM, semicolons, decimal commas.

    All rows are of one moment. A text that a spreadsheet would take for a formula has an apostrophe in front.
    """
    return CsvTable(*await _table(session, exporter, filters))


@router.get("/export.xlsx", responses=problems(RegionForbidden), response_class=XlsxTable, openapi_extra=HEAVY)
async def export_assessments_xlsx(
    exporter: Exporter, session: Session, filters: Annotated[AssessmentFilters, Query()]
) -> Response:
    """Every village with its scores, indexes and class as an XLSX workbook. All rows are of one moment."""
    return XlsxTable(*await _table(session, exporter, filters))


async def _table(session: AsyncSession, exporter: Caller, filters: AssessmentFilters) -> tuple[Sheet, Spool]:
    engine, today = await in_force(session), clock.today()
    region = exporter.narrow(filters.region)
    pages = store.pages(session, meant(filters, region, engine, today))
    spool = await spooled([presenting.row_of(engine, found) for found in page] async for page in pages)
    return presenting.sheet_of(engine, region, today), spool
