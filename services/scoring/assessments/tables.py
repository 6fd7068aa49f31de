"""Tables of the assessments room."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable


def index_value(dimension: str) -> str:
    """What the list sorted by a dimension's index sorts by; a village without that index stands below all others."""
    return f"coalesce((indexes ->> '{dimension}')::numeric, -1)"


SORT_VALUES = {
    **{dimension: index_value(dimension) for dimension in ("input", "proses", "output")},
    "distance": "coalesce(distance, 999)",
}
"""SQL of what lists are sorted by, where an index serves it. A village of the highest class has no distance to rise and
stands beyond all others."""


class Assessment(ScoringTable, table=True):
    """What a village is classed as under the ruleset in force. `version` grows by one whenever the answer changes.

    Class, scores and indexes that are None are not assessable; `reasons` say why, by indicator.
    `region_code` and `active` repeat the village's, so that counting the country reads one table. `distance`,
    `newest_periods` and `readiness` are derived for lists and tables and no part of the answer; rows that were written
    before they were kept have no `newest_periods` until they are assessed again. `due_on` is the first day on which time
    alone may have changed the answer, None where it cannot.
    """

    __tablename__ = "assessments"
    __table_args__ = (
        Index("ix_assessments_region_code_village_id", "region_code", "village_id"),
        *(
            Index(f"ix_assessments_{name}", text(value), "village_id", postgresql_where=text("active"))
            for name, value in SORT_VALUES.items()
        ),
        Index("ix_assessments_due_on", "due_on", postgresql_where=text("due_on IS NOT NULL")),
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
    village_class: str | None
    scores: dict[str, Any] = Field(sa_type=JSONB)
    indexes: dict[str, Any] = Field(sa_type=JSONB)
    reasons: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    answered: int
    asked: int
    simulated: bool
    version: int
    assessed_at: datetime = Field(sa_type=DateTime(timezone=True))
    distance: Decimal | None = Field(sa_type=Numeric)
    newest_periods: dict[str, str] | None = Field(sa_type=JSONB)
    readiness: dict[str, bool] | None = Field(sa_type=JSONB)
    due_on: date | None
