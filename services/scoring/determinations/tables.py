"""Tables of the determinations room."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.scoring.orm import ScoringTable

_CLASSES = "'dasar', 'berkembang', 'mandiri', 'berkelanjutan'"


class Determination(ScoringTable, table=True):
    """A region's classes as determined for a period. Append-only: a trigger refuses any change.

    Of each region and period there is one that replaces none, and each is replaced at most once: they form one line.
    `format` says how the digest was made; `rules` is what of the ruleset's document a reader of the list needs.
    """

    __tablename__ = "determinations"
    __table_args__ = (
        Index(
            "uq_determinations_first", "region_code", "period", unique=True, postgresql_where=text("replaces IS NULL")
        ),
        Index("ix_determinations_region_code_id", "region_code", "id"),
        UniqueConstraint("replaces"),
        UniqueConstraint("id", "region_code", "period"),
        ForeignKeyConstraint(
            ["replaces", "region_code", "period"],
            ["determinations.id", "determinations.region_code", "determinations.period"],
            name="fk_determinations_replaces",
        ),
        CheckConstraint(r"period ~ '^20\d\d-(0[1-9]|1[0-2])$'", name="period"),
        CheckConstraint("btrim(decree_number) <> ''", name="decree_number"),
        CheckConstraint("replaces IS NULL OR note IS NOT NULL", name="note"),
        CheckConstraint("villages >= 1", name="villages"),
        CheckConstraint(
            "dasar + berkembang + mandiri + berkelanjutan + not_assessable = villages "
            "AND least(dasar, berkembang, mandiri, berkelanjutan, not_assessable) >= 0",
            name="classes",
        ),
        CheckConstraint("without_reports BETWEEN 0 AND villages AND simulated BETWEEN 0 AND villages", name="marks"),
        CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),
    )

    id: UUID = Field(primary_key=True)
    format: int
    region_code: str = Field(sa_type=Text(collation="C"))
    region_name: str
    period: str
    ruleset: str
    rules: dict[str, Any] = Field(sa_type=JSONB)
    decree_number: str
    decree_date: dt.date
    note: str | None
    replaces: UUID | None
    villages: int
    dasar: int
    berkembang: int
    mandiri: int
    berkelanjutan: int
    not_assessable: int
    without_reports: int
    simulated: int
    inactive: int
    digest: str
    issued_by: str
    issued_at: dt.datetime = Field(sa_type=DateTime(timezone=True))


class DeterminedVillage(ScoringTable, table=True):
    """One village of a determination's list, in its order. Append-only, and only together with its determination.

    Nothing refers to the village as the service knows it now: what was determined stays when the village goes.
    """

    __tablename__ = "determination_villages"
    __table_args__ = (
        UniqueConstraint("determination_id", "village_id"),
        CheckConstraint(f"village_class IN ({_CLASSES})", name="village_class"),
        CheckConstraint("number >= 1", name="number"),
    )

    determination_id: UUID = Field(primary_key=True, foreign_key="determinations.id")
    number: int = Field(primary_key=True)
    village_id: UUID
    region_code: str = Field(sa_type=Text(collation="C"))
    province_name: str
    regency_name: str
    district_name: str
    village_name: str
    name: str | None
    village_class: str | None
    scores: dict[str, Any] = Field(sa_type=JSONB)
    indexes: dict[str, Any] = Field(sa_type=JSONB)
    answered: int
    without_reports: bool
    simulated: bool
