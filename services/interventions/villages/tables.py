"""Table of the villages projection."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Index, Text
from sqlmodel import Field

from services.interventions.orm import InterventionsTable


class Village(InterventionsTable, table=True):
    """A Kampung KB as the registry's events tell of it; `version` is the registry's and guards against older news."""

    __tablename__ = "villages"
    __table_args__ = (Index("ix_villages_region_code", "region_code"),)

    id: UUID = Field(primary_key=True)
    region_code: str = Field(sa_type=Text(collation="C"))
    name: str | None
    status: str
    province: str
    regency: str
    district: str
    village: str
    version: int
