"""Tables of the interventions room."""

from __future__ import annotations

from datetime import date as calendar_date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class Intervention(ScoringTable, table=True):
    """An intervention as last told, as far as scoring needs it. Version 0: claimed, not yet told."""

    __tablename__ = "interventions"
    __table_args__ = (
        Index("ix_interventions_village_id", "village_id"),
        CheckConstraint("version >= 0", name="version"),
        CheckConstraint("jsonb_typeof(actors) = 'array'", name="actors"),
    )

    id: UUID = Field(primary_key=True)
    village_id: UUID = Field(foreign_key="villages.id")
    version: int
    date: calendar_date
    actors: list[Any] = Field(sa_type=JSONB)
    simulated: bool
    withdrawn: bool
