"""Tables of the villages room."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class Village(ScoringTable, table=True):
    """A Kampung KB as last told. Version 0: facts about it came before the village itself."""

    __tablename__ = "villages"
    __table_args__ = (
        Index("ix_villages_region_code_id", "region_code", "id"),
        CheckConstraint("version >= 0", name="version"),
        CheckConstraint("(version = 0) = (status IS NULL)", name="told"),
        CheckConstraint(
            "(version = 0) = (province_name IS NULL) AND (version = 0) = (regency_name IS NULL) "
            "AND (version = 0) = (district_name IS NULL) AND (version = 0) = (village_name IS NULL)",
            name="region_names",
        ),
    )

    id: UUID = Field(primary_key=True)
    region_code: str = Field(sa_type=Text(collation="C"))
    version: int
    status: str | None
    name: str | None
    province_name: str | None
    regency_name: str | None
    district_name: str | None
    village_name: str | None
    simulated: bool
