"""Tables of the facts room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class ReportedFacts(ScoringTable, table=True):
    """The newest known revision of a report: one row a village, kind, source system and period."""

    __tablename__ = "reported_facts"
    __table_args__ = (
        CheckConstraint("kind IN ('profile', 'population', 'family_planning')", name="kind"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("jsonb_typeof(facts) = 'object'", name="facts"),
    )

    village_id: UUID = Field(primary_key=True, foreign_key="villages.id")
    kind: str = Field(primary_key=True)
    source_system: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    report_id: UUID
    revision: int
    simulated: bool
    reported_at: datetime = Field(sa_type=DateTime(timezone=True))
    facts: dict[str, Any] = Field(sa_type=JSONB)
