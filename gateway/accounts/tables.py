"""Tables of the accounts room."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)


class Account(GatewayTable, table=True):
    """A person of an office. Of password and code only hashes; no contact data. Never deleted: who did what stays known."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("login"),
        UniqueConstraint("created_by", "idempotency_key"),
        CheckConstraint("login ~ '^[a-z0-9][a-z0-9._-]{2,63}$'", name="login"),
        CheckConstraint("jsonb_array_length(grants) > 0", name="grants"),
        CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
        CheckConstraint("(code_hash IS NULL) = (code_expires_at IS NULL)", name="code"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_by IS NULL)", name="disabled"),
        CheckConstraint("(idempotency_key IS NULL) = (request_digest IS NULL)", name="idempotency"),
    )

    id: UUID = Field(primary_key=True)
    login: str
    name: str
    office: str
    grants: list[dict[str, Any]] = Field(sa_type=JSONB)
    region: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    """The smallest region that holds all grants; null: the whole country."""
    version: int = 1
    password_hash: str | None = None
    code_hash: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)
    code_expires_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    created_by: str
    last_signed_in_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    disabled_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    disabled_by: str | None = None
    idempotency_key: str | None = None
    request_digest: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)


class SignInAttempts(GatewayTable, table=True):
    """Attempts in a row on one account, or on one account from one address; forgotten after a while of quiet."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (CheckConstraint("attempts > 0", name="attempts"),)

    subject: bytes = Field(primary_key=True, sa_type=LargeBinary)
    """SHA-256 of what is tried: neither logins that somebody guessed nor addresses are kept."""
    attempts: int = Field(sa_type=Integer)
    last_at: datetime = Field(sa_type=_TIME, index=True)
    next_at: datetime = Field(sa_type=_TIME)
