"""Tables of the aliases room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint
from sqlmodel import Field

from services.registry.orm import RegistryTable


class PlaceAlias(RegistryTable, table=True):
    """How another system writes a village, and the village it means. `key` is the written names, normalised."""

    __tablename__ = "place_aliases"
    __table_args__ = (
        UniqueConstraint("source_system", "key"),
        CheckConstraint("how IN ('abbreviation', 'kode')", name="how"),
    )

    id: UUID = Field(primary_key=True)
    source_system: str
    key: str
    province: str
    regency: str
    district: str
    village: str
    region_code: str = Field(sa_type=Text(collation="C"), foreign_key="regions.code", index=True)
    how: str
    remembered_by: str
    remembered_at: datetime = Field(sa_type=DateTime(timezone=True))
