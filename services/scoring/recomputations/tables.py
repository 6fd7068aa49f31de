"""Tables of the recomputations room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlmodel import Field

from services.scoring.orm import ScoringTable

_TIME = DateTime(timezone=True)


class Recomputation(ScoringTable, table=True):
    """A run over all villages of a region. `place` is the last village whose chunk is committed: a run resumes there.

    `run` counts runs begun and tells one that was overtaken; `attempts` those since a chunk was last committed.
    """

    __tablename__ = "recomputations"
    __table_args__ = (
        Index("ix_recomputations_waiting", "id", postgresql_where=text("state IN ('queued', 'running')")),
        CheckConstraint("state IN ('queued', 'running', 'done', 'cancelled', 'failed')", name="state"),
        CheckConstraint("(finished_at IS NULL) = (state IN ('queued', 'running'))", name="finished_at"),
        CheckConstraint("(failure IS NULL) = (state <> 'failed')", name="failure"),
    )

    id: UUID = Field(primary_key=True)
    region_code: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    since: str | None
    reason: str
    state: str
    requested_by: str
    requested_at: datetime = Field(sa_type=_TIME)
    started_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    finished_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    run: int
    attempts: int
    place: UUID | None
    villages_total: int | None
    villages_done: int
    written: int
    news: int
    failure: str | None
