"""Tables of the findings room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.registry.orm import RegistryTable

_TIME = DateTime(timezone=True)


class Finding(RegistryTable, table=True):
    """Something that does not add up. Never repaired by us; resolved when the source reports anew."""

    __tablename__ = "findings"
    __table_args__ = (
        Index(
            "uq_findings_open",
            "village_id",
            text("coalesce(period, '')"),
            "source_system",
            "code",
            "subject",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_findings_region_code_id", "region_code", "id"),
        CheckConstraint("severity IN ('warning', 'error')", name="severity"),
    )

    id: UUID = Field(primary_key=True)
    village_id: UUID = Field(foreign_key="villages.id")
    region_code: str = Field(sa_type=Text(collation="C"))
    period: str | None
    source_system: str
    code: str
    subject: str
    severity: str
    message: str
    numbers: dict[str, Any] = Field(sa_type=JSONB)
    found_at: datetime = Field(sa_type=_TIME)
    resolved_at: datetime | None = Field(sa_type=_TIME, nullable=True)
