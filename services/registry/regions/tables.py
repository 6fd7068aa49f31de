"""Tables of the regions room."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, Index, Text, func
from sqlmodel import Field

from services.registry.orm import RegistryTable


class RegionEdition(RegistryTable, table=True):
    """An edition of the code list."""

    __tablename__ = "region_editions"

    edition: str = Field(primary_key=True)
    source: str
    regions: int
    loaded_at: datetime = Field(sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": func.now()})


class Region(RegistryTable, table=True):
    """A province, regency or city, district, or village of the code list."""

    __tablename__ = "regions"
    __table_args__ = (
        CheckConstraint(r"code ~ '^\d{2}(\.\d{2}(\.\d{2}(\.[123]\d{3})?)?)?$'", name="code_form"),
        Index("ix_regions_parent_code_code", "parent_code", "code"),
        Index("ix_regions_name", func.lower("name")),
    )

    code: str = Field(primary_key=True, sa_type=Text(collation="C"))
    level: str
    parent_code: str | None = Field(sa_type=Text(collation="C"), foreign_key="regions.code", nullable=True)
    name: str
    edition: str = Field(foreign_key="region_editions.edition")
