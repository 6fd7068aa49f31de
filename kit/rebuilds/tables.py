"""The table of rebuilds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID


def declare_rebuilds(metadata: MetaData) -> None:
    """Give a service its table of rebuilds.

    `attempts` counts runs begun and tells a run that was overtaken by another; `place` is how far settling came.
    """
    Table(
        "rebuilds",
        metadata,
        Column("id", UUID(as_uuid=True), primary_key=True),
        Column("source", Text, nullable=False),
        Column("re_emissions", JSONB),
        Column("dry_run", Boolean, nullable=False),
        Column("reason", Text, nullable=False),
        Column("requested_by", Text, nullable=False),
        Column("requested_at", DateTime(timezone=True), nullable=False),
        Column("state", Text, nullable=False),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("started_at", DateTime(timezone=True)),
        Column("finished_at", DateTime(timezone=True)),
        Column("events_read", BigInteger, nullable=False, server_default=text("0")),
        Column("events_expected", BigInteger),
        Column("unreadable", BigInteger, nullable=False, server_default=text("0")),
        Column("failing", BigInteger, nullable=False, server_default=text("0")),
        Column("differences", JSONB),
        Column("place", Text),
        Column("settled", JSONB),
        Column("failure", Text),
        Column("failure_detail", Text),
        Index(
            "uq_rebuilds_under_way",
            text("(finished_at IS NULL)"),
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
        CheckConstraint("source IN ('events', 'services')", name="source"),
        CheckConstraint("re_emissions IS NULL OR source = 'services'", name="re_emissions"),
        CheckConstraint("state IN ('waiting', 'queued', 'reading', 'settling', 'done', 'failed')", name="state"),
        CheckConstraint("(finished_at IS NULL) = (state NOT IN ('done', 'failed'))", name="finished_at"),
        CheckConstraint("(failure IS NULL) = (state <> 'failed')", name="failure"),
        CheckConstraint("(failure IS NULL) = (failure_detail IS NULL)", name="failure_detail"),
    )
