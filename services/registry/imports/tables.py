"""Tables of the imports room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.registry.orm import RegistryTable

_TIME = DateTime(timezone=True)


class Import(RegistryTable, table=True):
    """A set of tables processed together. `position` is the last village whose chunk is committed: a run resumes there.

    `attempts` counts runs begun since a chunk was last committed; `tally` counts what the committed chunks did; `summary` is written once, at the end.
    """

    __tablename__ = "imports"
    __table_args__ = (
        Index("ix_imports_region_code_id", "region_code", "id"),
        CheckConstraint("format IN ('siga')", name="format"),
        CheckConstraint("state IN ('open', 'queued', 'running', 'done', 'failed')", name="state"),
        CheckConstraint("year BETWEEN 2016 AND 2100", name="year"),
        CheckConstraint("rows_done <= rows_total", name="progress"),
    )

    id: UUID = Field(primary_key=True)
    format: str
    region_code: str = Field(sa_type=Text(collation="C"), foreign_key="regions.code")
    year: int
    dry_run: bool
    note: str | None
    state: str
    created_by: str
    created_at: datetime = Field(sa_type=_TIME)
    queued_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    started_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    finished_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    erased_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    attempts: int
    position: str | None
    rows_total: int
    rows_done: int
    failure: str | None
    tally: dict[str, Any] = Field(sa_type=JSONB)
    summary: dict[str, Any] | None = Field(sa_type=JSONB, nullable=True)


class ImportTable(RegistryTable, table=True):
    """An uploaded table as it came (gzip), and what it was recognised as. `content` is null once erased."""

    __tablename__ = "import_tables"

    import_id: UUID = Field(primary_key=True, foreign_key="imports.id", ondelete="CASCADE")
    name: str = Field(primary_key=True, sa_type=Text(collation="C"))
    content: bytes | None = Field(sa_type=LargeBinary, nullable=True)
    size: int
    digest: str
    uploaded_at: datetime = Field(sa_type=_TIME)
    kind: str | None
    columns_used: list[str] = Field(sa_type=JSONB)
    columns_not_used: list[str] = Field(sa_type=JSONB)
    problem: str | None
    detail: str | None
    missing_columns: list[str] = Field(sa_type=JSONB)


class ImportRow(RegistryTable, table=True):
    """What became of one row that was read."""

    __tablename__ = "import_rows"
    __table_args__ = (CheckConstraint("status IN ('stored', 'unchanged', 'skipped', 'rejected')", name="status"),)

    import_id: UUID = Field(primary_key=True, foreign_key="imports.id", ondelete="CASCADE")
    table_name: str = Field(primary_key=True, sa_type=Text(collation="C"))
    row_number: int = Field(primary_key=True)
    status: str
    reason: str | None
    detail: str | None
    region_code: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    period: str | None


class QueuedImport(RegistryTable, table=True):
    """An import that is to be run. A worker holds this row's lock while it runs it, so that a dead worker lets go."""

    __tablename__ = "import_queue"

    import_id: UUID = Field(primary_key=True, foreign_key="imports.id", ondelete="CASCADE")
    queued_at: datetime = Field(sa_type=_TIME, index=True)
