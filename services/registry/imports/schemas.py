"""What the imports room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.facts import ReportKind
from contracts.regions import Period, RegionCode
from contracts.text import Line
from kit.paging import ListFilters
from services.registry.aliases.rules import How
from services.registry.imports.reasons import RowStatus
from services.registry.imports.tables import Import, ImportRow, ImportTable


class ImportFormat(StrEnum):
    """Formats of tables that can be imported."""

    SIGA = "siga"


class ImportState(StrEnum):
    """Where an import stands."""

    OPEN = "open"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ImportIn(BaseModel):
    """An import to open: its tables are uploaded one by one, then it is started."""

    model_config = ConfigDict(extra="forbid")

    format: ImportFormat = ImportFormat.SIGA
    region: RegionCode = Field(description="Province, regency or district that the tables are about")
    year: Annotated[int, Field(strict=True, ge=2016, le=2100)] = Field(
        description="SIGA's tables name months without their year"
    )
    dry_run: bool = Field(False, strict=True, description="Do everything but store")
    note: Line | None = None


class TableOut(BaseModel):
    """An uploaded table and what it was recognised as."""

    name: str
    size: int = Field(description="Bytes, unpacked")
    digest: str = Field(description="SHA-256 of the unpacked table")
    uploaded_at: datetime
    kind: str | None = Field(description="Null where it was not recognised", examples=["data_pus"])
    columns_used: list[str]
    columns_not_used: list[str] = Field(description="Columns whose content is not imported")
    problem: str | None = Field(description="Why the table cannot be read", examples=["column_missing"])
    detail: str | None = Field(description="The same as a sentence in Indonesian")
    missing_columns: list[str]

    @classmethod
    def of(cls, table: ImportTable) -> Self:
        """From a row."""
        return cls.model_validate(table.model_dump(exclude={"import_id", "content"}))


class Progress(BaseModel):
    """How far a running import is."""

    rows_done: int
    rows_total: int = Field(description="0 until the tables have been read")


class RowCounts(BaseModel):
    """What became of rows; the four add up to `read`. In a dry run `stored` means "would be stored"."""

    read: int = 0
    stored: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0


class ReasonCount(BaseModel):
    """How many rows of a table were left out or rejected for one reason."""

    status: RowStatus
    reason: str = Field(examples=["no_kampung_kb"])
    rows: int
    example: str | None = Field(description="The sentence of one such row")


class TableSummary(BaseModel):
    """What became of one table."""

    name: str
    kind: str | None
    title: str | None
    rows: RowCounts
    reasons: list[ReasonCount]
    columns_used: list[str]
    columns_not_used: list[str]
    problem: str | None
    detail: str | None


class MonthTotals(BaseModel):
    """Control totals of one month over all rows read, used or not: compare them with the source's own sums."""

    period: str
    counts: dict[str, int] = Field(examples=[{"population.pus": 202121, "family_planning.unmet_need": 19476}])


class AliasUsed(BaseModel):
    """A written place that is not the official name, and the village it was found to mean."""

    province: str
    regency: str
    district: str
    village: str
    region_code: str
    how: How
    remembered: bool = Field(description="An earlier import had learned it")


class UnresolvedOut(BaseModel):
    """A written place that was not resolved."""

    province: str
    regency: str
    district: str
    village: str
    kode: str
    reason: str
    detail: str
    rows: int


class NamesSummary(BaseModel):
    """How written places were resolved."""

    villages_resolved: int
    aliases: list[AliasUsed]
    unresolved_names: int
    unresolved: list[UnresolvedOut] = Field(description="The first 200; all rows are in the row results")


class VillagesSummary(BaseModel):
    """Kampung KB announced and registered."""

    announced: int = Field(description="Kampung KB that the tables count, all villages together")
    announced_villages: int
    registered: int
    already_registered: int


class ReportCounts(BaseModel):
    """What became of the reports of one kind."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0


class Summary(BaseModel):
    """All that an import did. Nothing is dropped silently: what is not counted as stored has a reason."""

    rows: RowCounts
    tables: list[TableSummary]
    totals: list[MonthTotals]
    names: NamesSummary
    villages: VillagesSummary
    reports: dict[ReportKind, ReportCounts]
    findings_opened: int


class ImportBrief(BaseModel):
    """An import in a list."""

    id: UUID
    format: ImportFormat
    region: str = Field(examples=["76"])
    year: int
    dry_run: bool
    note: str | None
    state: ImportState
    progress: Progress
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    erased_at: datetime | None = Field(
        description="When tables and row results were erased, 90 days after the end; the summary stays"
    )
    failure: str | None = Field(description="Why it failed; start it again to go on where it stopped")

    @classmethod
    def of(cls, row: Import, **more: Any) -> Self:
        """From a row."""
        values = row.model_dump(include=set(ImportBrief.model_fields))
        progress = Progress(rows_done=row.rows_done, rows_total=row.rows_total)
        return cls(**{**values, "region": row.region_code, "progress": progress, **more})


class ImportOut(ImportBrief):
    """An import with its tables and, at the end, its summary."""

    tables: list[TableOut]
    summary: Summary | None = Field(description="Null until the import is done")

    @classmethod
    def with_tables(cls, row: Import, tables: list[ImportTable]) -> Self:
        """From rows."""
        return cls.of(row, tables=[TableOut.of(table) for table in tables], summary=row.summary)


class RowOut(BaseModel):
    """What became of one row."""

    table: str
    row: int = Field(description="As a spreadsheet counts: the header is row 1")
    status: RowStatus
    reason: str | None
    detail: str | None = Field(description="A sentence in Indonesian")
    region_code: str | None = Field(description="The village it is about, once resolved")
    period: str | None

    @classmethod
    def of(cls, row: ImportRow) -> Self:
        """From a row."""
        values = row.model_dump(exclude={"import_id", "table_name", "row_number"})
        return cls(table=row.table_name, row=row.row_number, **values)


class ImportFilters(ListFilters):
    """Filters of the list of imports."""

    region: RegionCode | None = Field(None, description="Only imports for this region or one inside it")
    state: ImportState | None = Field(None, description="How far they are")


class RowFilters(ListFilters):
    """Filters of the row results."""

    table: str | None = Field(None, max_length=100, description="Name of the table")
    status: RowStatus | None = Field(None, description="What became of the row")
    reason: str | None = Field(None, max_length=60, description="Why it was rejected, as a code")
    region: RegionCode | None = Field(None, description="Only rows about this region")
    period: Period | None = Field(None, description="Month that the row is about, YYYY-MM")
