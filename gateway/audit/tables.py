"""Tables of the audit room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)
_PLAIN = Text(collation="C")


class AuditEntry(GatewayTable, table=True):
    """One entry. The migration refuses UPDATE, DELETE and TRUNCATE by trigger and by right: rows are only added."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint("octet_length(digest) = 32 AND octet_length(previous) = 32", name="digests"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("count > 0", name="count"),
        Index("ix_audit_entries_caller_number", "caller", "number"),
        Index("ix_audit_entries_resource_number", "resource", "number"),
        Index("ix_audit_entries_request_id", "request_id"),
        Index("ix_audit_entries_at", "at"),
    )

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    id: UUID = Field(unique=True)
    """Made by the process that recorded it: what is written twice after a lost answer is recognised by it."""
    kind: str
    at: datetime = Field(sa_type=_TIME)
    until: datetime | None = Field(sa_type=_TIME, nullable=True)
    count: int
    caller: str | None = Field(sa_type=_PLAIN, nullable=True)
    caller_name: str | None
    caller_region: str | None = Field(sa_type=_PLAIN, nullable=True)
    credential: str | None
    address: str | None
    operation: str | None = Field(sa_type=_PLAIN, nullable=True)
    method: str | None
    resource: str | None = Field(sa_type=_PLAIN, nullable=True)
    region: str | None = Field(sa_type=_PLAIN, nullable=True)
    status: int | None
    request_id: str | None = Field(sa_type=_PLAIN, nullable=True)
    note: str | None
    previous: bytes = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)


class AuditHead(GatewayTable, table=True):
    """The end of the chain: one row, which whoever adds to the chain holds."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: bool = Field(primary_key=True, sa_type=Boolean, sa_column_kwargs={"server_default": text("true")})
    number: int = Field(sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)


class AuditBegun(GatewayTable, table=True):
    """A changing request that was let through and is not in the chain yet: stored before it is carried out."""

    __tablename__ = "audit_begun"

    id: UUID = Field(primary_key=True)
    at: datetime = Field(sa_type=_TIME, index=True)
    entry: dict[str, Any] = Field(sa_type=JSONB)
