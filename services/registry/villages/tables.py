"""Tables of the villages room."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Numeric, Text, text
from sqlmodel import Field

from services.registry.orm import RegistryTable

_TIME = DateTime(timezone=True)


class Village(RegistryTable, table=True):
    """A Kampung KB. `version` grows by one with every change of the village or of one of its reports."""

    __tablename__ = "villages"
    __table_args__ = (
        Index("uq_villages_active", "region_code", unique=True, postgresql_where=text("status = 'active'")),
        Index("ix_villages_region_code_id", "region_code", "id"),
        CheckConstraint("status IN ('active', 'inactive')", name="status"),
        CheckConstraint("coverage IN ('rw', 'dusun', 'desa')", name="coverage"),
        CheckConstraint("launch_date >= '2016-01-01'", name="launch_date"),
        CheckConstraint("launch_year >= 2016", name="launch_year"),
        CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="coordinates"),
        CheckConstraint("version >= 1", name="version"),
    )

    id: UUID = Field(primary_key=True)
    region_code: str = Field(sa_type=Text(collation="C"), foreign_key="regions.code")
    name: str | None
    status: str
    launch_date: date | None
    launch_year: int | None
    launched_after_year: int | None
    coverage: str | None
    coverage_detail: str | None
    decree_number: str | None
    decree_date: date | None
    latitude: Decimal | None = Field(sa_type=Numeric(9, 6), nullable=True)
    longitude: Decimal | None = Field(sa_type=Numeric(9, 6), nullable=True)
    simulated: bool
    source_system: str
    version: int
    registered_by: str
    registered_at: datetime = Field(sa_type=_TIME)
    changed_at: datetime = Field(sa_type=_TIME)
