"""Tables of the keys room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)


class ApiKey(GatewayTable, table=True):
    """A key; of its secret only the hash. Rows are never deleted: who could do what, and when, stays known."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("created_by", "idempotency_key"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("cardinality(roles) > 0", name="roles"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked"),
        CheckConstraint("octet_length(old_secret_hash) = 32", name="old_secret_hash"),
        CheckConstraint(
            "(old_secret_hash IS NULL) = (old_secret_until IS NULL) AND (old_secret_hash IS NULL) = (rotated_at IS NULL)",
            name="rotated",
        ),
        CheckConstraint("cardinality(allowed_addresses) > 0", name="allowed_addresses"),
        CheckConstraint("(idempotency_key IS NULL) = (request_digest IS NULL)", name="idempotency"),
        CheckConstraint("(rotation_idempotency_key IS NULL) = (rotation_digest IS NULL)", name="rotation_idempotency"),
    )

    id: UUID = Field(primary_key=True)
    version: int = 1
    """Grows with every change, and with every rotation by the holder; use does not count as one."""
    secret_hash: bytes = Field(sa_type=LargeBinary)
    name: str
    owner: str
    roles: list[str] = Field(sa_type=ARRAY(Text))
    region: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    expires_at: datetime | None = Field(sa_type=_TIME, nullable=True)
    allowed_addresses: list[str] | None = Field(None, sa_type=ARRAY(Text), nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    created_by: str
    last_used_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    rotated_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    rotated_by: str | None = None
    """Of the last rotation; null where it is older than this column, or where there was none."""
    old_secret_hash: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)
    """The secret before the last rotation; it stays after its time, so that whoever still uses it is told why not."""
    old_secret_until: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    old_secret_used_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    revoked_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    revoked_by: str | None = None
    idempotency_key: str | None = None
    request_digest: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)
    rotation_idempotency_key: str | None = None
    """Of the holder's request for the last rotation, so that it is known again."""
    rotation_digest: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)
