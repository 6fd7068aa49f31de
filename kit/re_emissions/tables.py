"""The table of re-emissions."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Integer, MetaData, Table, Text, text
from sqlalchemy.dialects.postgresql import UUID


def declare_re_emissions(metadata: MetaData) -> None:
    """Give a service its table of re-emissions.

    `place` is where the last committed chunk ended; `written_at` says that there are no more; `first_event` and
    `last_event` are the first and the last event written, whose positions end the job.
    """
    Table(
        "re_emissions",
        metadata,
        Column("id", UUID(as_uuid=True), primary_key=True),
        Column("region_code", Text(collation="C")),
        Column("reason", Text, nullable=False),
        Column("requested_by", Text, nullable=False),
        Column("requested_at", DateTime(timezone=True), nullable=False),
        Column("state", Text, nullable=False),
        Column("started_at", DateTime(timezone=True)),
        Column("written_at", DateTime(timezone=True)),
        Column("finished_at", DateTime(timezone=True)),
        Column("place", Text),
        Column("events", BigInteger, nullable=False, server_default=text("0")),
        Column("first_event", UUID(as_uuid=True)),
        Column("last_event", UUID(as_uuid=True)),
        Column("feed_id", UUID(as_uuid=True)),
        Column("first_position", BigInteger),
        Column("last_position", BigInteger),
        Column("attempts", Integer, nullable=False, server_default=text("0")),
        Column("failure", Text),
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
        CheckConstraint("(finished_at IS NULL) = (state IN ('queued', 'running'))", name="finished_at"),
        CheckConstraint("(failure IS NULL) = (state <> 'failed')", name="failure"),
        CheckConstraint("first_position <= last_position", name="positions"),
    )
