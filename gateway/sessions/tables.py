"""Tables of the sessions room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, LargeBinary, UniqueConstraint
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)


class SignedIn(GatewayTable, table=True):
    """A session; of its cookie only the hash. Swept a day after its end."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("secret_hash"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
    )

    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(sa_column_args=(ForeignKey("accounts.id"),), index=True)
    secret_hash: bytes = Field(sa_type=LargeBinary)
    browser: str
    created_at: datetime = Field(sa_type=_TIME)
    last_used_at: datetime = Field(sa_type=_TIME)
    expires_at: datetime = Field(sa_type=_TIME, index=True)
    ended_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
