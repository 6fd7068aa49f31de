"""Tables of the interventions room."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.interventions.orm import InterventionsTable

_TIME = DateTime(timezone=True)


class Intervention(InterventionsTable, table=True):
    """An intervention as it stands; what it was before is in its revisions.

    `actors` holds objects of code, pentahelix (resolved, null where nobody knows) and other (words for lainnya).
    """

    __tablename__ = "interventions"
    __table_args__ = (
        Index("ix_interventions_date_id", "date", "id"),
        Index("ix_interventions_village_id_date_id", "village_id", "date", "id"),
        Index("ix_interventions_actors", "actors", postgresql_using="gin", postgresql_ops={"actors": "jsonb_path_ops"}),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("date >= '2016-01-01'", name="date"),
        CheckConstraint("kegiatan ~ '^[1-8]-[0-9]{2}$'", name="kegiatan"),
        CheckConstraint("jsonb_array_length(target_groups) >= 1", name="target_groups"),
        CheckConstraint("jsonb_array_length(actors) >= 1", name="actors"),
        CheckConstraint(
            "funding_source IN ('apbn', 'apbd', 'dana_desa', 'donation', 'csr', 'self_help')", name="funding_source"
        ),
        CheckConstraint("funding_amount >= 0", name="funding_amount"),
        CheckConstraint("participants >= 0", name="participants"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawal_reason IS NULL)", name="withdrawal"),
    )

    id: UUID = Field(primary_key=True)
    village_id: UUID = Field(foreign_key="villages.id")
    version: int
    date: dt.date
    place: str
    title: str
    description: str
    family_function: str
    kegiatan: str | None
    target_groups: list[str] = Field(sa_type=JSONB)
    other_target_group: str | None
    actors: list[dict[str, Any]] = Field(sa_type=JSONB)
    funding_source: str | None
    funding_amount: int | None = Field(sa_type=BigInteger, nullable=True)
    participants: int | None
    simulated: bool
    source_system: str
    withdrawn_at: dt.datetime | None = Field(sa_type=_TIME, nullable=True)
    withdrawal_reason: str | None
    recorded_by: str
    recorded_at: dt.datetime = Field(sa_type=_TIME)
    changed_at: dt.datetime = Field(sa_type=_TIME)


class InterventionRevision(InterventionsTable, table=True):
    """What an intervention said at one version, and who said it. Append-only: a trigger refuses any change."""

    __tablename__ = "intervention_revisions"
    __table_args__ = (CheckConstraint("change IN ('recorded', 'corrected', 'withdrawn')", name="change"),)

    intervention_id: UUID = Field(primary_key=True, foreign_key="interventions.id")
    version: int = Field(primary_key=True)
    change: str
    reason: str | None
    fields: dict[str, Any] = Field(sa_type=JSONB)
    changed_by: str
    changed_at: dt.datetime = Field(sa_type=_TIME)
