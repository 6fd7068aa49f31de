"""Endpoints of the report tables room."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session, read_one_moment
from kit.problems import RegionForbidden, problems
from kit.spreadsheets import CsvTable, Sheet, Spool, XlsxTable
from services.scoring.class_counts import store as class_counts
from services.scoring.class_counts.levels import level_asked
from services.scoring.class_counts.schemas import ClassCountFilters, PartFilters
from services.scoring.report_tables import presenting, store
from services.scoring.report_tables.presenting import Place
from services.scoring.report_tables.schemas import ReportTable
from services.scoring.rulesets.library import in_force

router = APIRouter(prefix="/report-tables", tags=["assessments"])

TableReader = Annotated[Caller, requires(Scope.ASSESSMENTS_READ)]
ClassFilters = Annotated[ClassCountFilters, Query()]
Filters = Annotated[PartFilters, Query()]


@router.get("/classes", responses=problems(RegionForbidden))
async def get_class_table(reader: TableReader, session: Session, filters: ClassFilters) -> ReportTable:
    """The active Kampung KB of a region by class, part by part, with shares."""
    return await _classes(session, reader, filters)


@router.get("/classes.csv", responses=problems(RegionForbidden), response_class=CsvTable)
async def get_class_table_csv(reader: TableReader, session: Session, filters: ClassFilters) -> Response:
    """The table of classes as CSV for Excel (semicolons, decimal commas), the total as its last row."""
    return CsvTable(*_sheet(await _classes(session, reader, filters), "tabel-klasifikasi"))


@router.get("/classes.xlsx", responses=problems(RegionForbidden), response_class=XlsxTable)
async def get_class_table_xlsx(reader: TableReader, session: Session, filters: ClassFilters) -> Response:
    """The table of classes as an XLSX workbook, the total as its last row."""
    return XlsxTable(*_sheet(await _classes(session, reader, filters), "tabel-klasifikasi"))


@router.get("/readiness", responses=problems(RegionForbidden))
async def get_readiness_table(reader: TableReader, session: Session, filters: Filters) -> ReportTable:
    """How many active Kampung KB of a region have a decree, a work plan, a data room ...: yes, no and not reported.

    What was not reported is a column of its own and never counted as no.
    """
    return await _readiness(session, reader, filters)


@router.get("/readiness.csv", responses=problems(RegionForbidden), response_class=CsvTable)
async def get_readiness_table_csv(reader: TableReader, session: Session, filters: Filters) -> Response:
    """The table of readiness as CSV for Excel (semicolons, decimal commas), the total as its last row."""
    return CsvTable(*_sheet(await _readiness(session, reader, filters), "tabel-kesiapan"))


@router.get("/readiness.xlsx", responses=problems(RegionForbidden), response_class=XlsxTable)
async def get_readiness_table_xlsx(reader: TableReader, session: Session, filters: Filters) -> Response:
    """The table of readiness as an XLSX workbook, the total as its last row."""
    return XlsxTable(*_sheet(await _readiness(session, reader, filters), "tabel-kesiapan"))


async def _classes(session: AsyncSession, reader: Caller, filters: ClassCountFilters) -> ReportTable:
    region = reader.narrow(filters.region)
    by = level_asked(region, filters.by)
    await read_one_moment(session)
    counted = await class_counts.counts(session, region, by, filters.period)
    place = Place(region, by, await _names(session, region, [one.code for one in counted]))
    return presenting.classes_table(await in_force(session), place, counted, filters.period)


async def _readiness(session: AsyncSession, reader: Caller, filters: PartFilters) -> ReportTable:
    region = reader.narrow(filters.region)
    by = level_asked(region, filters.by)
    await read_one_moment(session)
    found = await store.readiness(session, region, by)
    place = Place(region, by, await _names(session, region, [one.code for one in found]))
    return presenting.readiness_table(place, found)


async def _names(session: AsyncSession, region: str | None, codes: list[str]) -> dict[str, str]:
    own = [] if region is None else [region]
    return await class_counts.names(session, list(dict.fromkeys([*codes, *own])))


def _sheet(table: ReportTable, name: str) -> tuple[Sheet, Spool]:
    spool = Spool()
    spool.add(presenting.rows_of(table))
    return presenting.sheet_of(table, name, clock.today()), spool
