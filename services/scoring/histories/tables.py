"""Tables of the histories room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable


class PeriodAssessment(ScoringTable, table=True):
    """What a village is classed as from everything of a month or earlier. One row a month in which something was told.

    Under a ruleset that looks at time also one of each month in which a report or an intervention got too old. Class
    None: not assessable. `revision` grows by one whenever late data or another ruleset changes the answer.
    `previous_class` is that of the village's row before, `none` where that had no class, None at the first; so a region's
    trend is the sum of the rows in which the class changed.
    """

    __tablename__ = "period_assessments"
    __table_args__ = (
        Index(
            "ix_period_assessments_changes",
            "village_id",
            "period",
            "village_class",
            "previous_class",
            postgresql_where=text("previous_class IS DISTINCT FROM coalesce(village_class, 'none')"),
        ),
        CheckConstraint("revision >= 1", name="revision"),
    )

    village_id: UUID = Field(primary_key=True)
    period: str = Field(primary_key=True)
    revision: int
    ruleset: str
    ruleset_digest: str
    village_class: str | None
    previous_class: str | None
    scores: dict[str, Any] = Field(sa_type=JSONB)
    indexes: dict[str, Any] = Field(sa_type=JSONB)
    answered: int
    asked: int
    simulated: bool
    assessed_at: datetime = Field(sa_type=DateTime(timezone=True))


class SupersededAssessment(ScoringTable, table=True):
    """An earlier revision of a row of `period_assessments`, as it was until `superseded_at`."""

    __tablename__ = "superseded_assessments"

    village_id: UUID = Field(primary_key=True)
    period: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    ruleset: str
    ruleset_digest: str
    village_class: str | None
    scores: dict[str, Any] = Field(sa_type=JSONB)
    indexes: dict[str, Any] = Field(sa_type=JSONB)
    answered: int
    asked: int
    simulated: bool
    assessed_at: datetime = Field(sa_type=DateTime(timezone=True))
    superseded_at: datetime = Field(sa_type=DateTime(timezone=True))
