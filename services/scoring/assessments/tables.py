"""Tables of the assessments room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class Assessment(ScoringTable, table=True):
    """What a village is classed as under the ruleset in force. `version` grows by one whenever the answer changes.

    `region_code` and `active` repeat the village's, so that counting the country reads one table.
    """

    __tablename__ = "assessments"
    __table_args__ = (
        Index("ix_assessments_region_code_village_id", "region_code", "village_id"),
        CheckConstraint("village_class IN ('dasar', 'berkembang', 'mandiri', 'berkelanjutan')", name="village_class"),
        CheckConstraint("answered BETWEEN 0 AND asked", name="answered"),
        CheckConstraint("version >= 1", name="version"),
    )

    village_id: UUID = Field(primary_key=True, foreign_key="villages.id")
    region_code: str = Field(sa_type=Text(collation="C"))
    active: bool
    without_reports: bool
    ruleset: str
    ruleset_digest: str
    village_class: str
    scores: dict[str, Any] = Field(sa_type=JSONB)
    indexes: dict[str, Any] = Field(sa_type=JSONB)
    answered: int
    asked: int
    simulated: bool
    version: int
    assessed_at: datetime = Field(sa_type=DateTime(timezone=True))
