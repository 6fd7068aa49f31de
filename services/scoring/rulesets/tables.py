"""Tables of the rulesets room."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable

_TIME = DateTime(timezone=True)


class StoredRuleset(ScoringTable, table=True):
    """A ruleset document and where it is in its life. `revision` grows by one with every change; drafts alone change.

    The document of a published or retired one is what its digest covers, for ever. Times are UTC, `..._by` callers' ids.
    """

    __tablename__ = "rulesets"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published', 'retired')", name="status"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("jsonb_typeof(document) = 'object'", name="document"),
        CheckConstraint("document ->> 'id' = id", name="document_id"),
        CheckConstraint("(status = 'draft') = (document ->> 'status' = 'draft')", name="document_status"),
        CheckConstraint("(status = 'draft') = (digest IS NULL)", name="digest"),
        CheckConstraint("(status = 'draft') = (boundary_cases IS NULL)", name="boundary_cases"),
        CheckConstraint("(status = 'draft') = (published_at IS NULL)", name="published_at"),
        CheckConstraint("(published_at IS NULL) = (published_by IS NULL)", name="published_by"),
        CheckConstraint("(status = 'retired') = (retired_at IS NOT NULL)", name="retired_at"),
        CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name="retired_by"),
    )

    id: str = Field(sa_type=Text(collation="C"), primary_key=True)
    status: str
    revision: int
    document: dict[str, Any] = Field(sa_type=JSONB)
    digest: str | None = None
    boundary_cases: list[Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))
    created_at: dt.datetime = Field(sa_type=_TIME)
    created_by: str
    published_at: dt.datetime | None = Field(default=None, sa_type=_TIME)
    published_by: str | None = None
    retired_at: dt.datetime | None = Field(default=None, sa_type=_TIME)
    retired_by: str | None = None


class InForceEntry(ScoringTable, table=True):
    """From which day on a ruleset is in force. Entries are added, never changed; of one day the last one counts."""

    __tablename__ = "rulesets_in_force"
    __table_args__ = (Index("ix_rulesets_in_force_from_date_id", "from_date", "id"),)

    id: int | None = Field(
        default=None, sa_column=Column("id", BigInteger, Identity(always=True), primary_key=True, nullable=False)
    )
    from_date: dt.date
    ruleset_id: str = Field(sa_type=Text(collation="C"), foreign_key="rulesets.id")
    set_at: dt.datetime = Field(sa_type=_TIME)
    set_by: str
