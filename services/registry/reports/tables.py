"""Tables of the reports room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.registry.orm import RegistryTable

_TIME = DateTime(timezone=True)


class Report(RegistryTable, table=True):
    """One revision of a report: append-only; a newer revision marks the older as superseded and keeps it."""

    __tablename__ = "reports"
    __table_args__ = (
        Index(
            "uq_reports_current",
            "village_id",
            "kind",
            "period",
            "source_system",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("uq_reports_revision", "village_id", "kind", "period", "source_system", "revision", unique=True),
        CheckConstraint("kind IN ('profile', 'population', 'family_planning')", name="kind"),
        CheckConstraint(r"period ~ '^20\d\d-(0[1-9]|1[0-2])$'", name="period"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("jsonb_typeof(facts) = 'object'", name="facts"),
    )

    id: UUID = Field(primary_key=True)
    village_id: UUID = Field(foreign_key="villages.id")
    kind: str
    period: str
    source_system: str
    source_reference: str | None
    revision: int
    facts: dict[str, Any] = Field(sa_type=JSONB)
    simulated: bool
    reported_by: str
    reported_at: datetime = Field(sa_type=_TIME)
    superseded_at: datetime | None = Field(sa_type=_TIME, nullable=True)
