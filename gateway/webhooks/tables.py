"""Tables of the webhooks room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)


class Webhook(GatewayTable, table=True):
    """A webhook; its secrets are encrypted, because they must be used again.

    `failures` counts the failed attempts since the last delivery, and `retry_at` is when what is sent in order is
    tried again; both are the deliverer's and change nothing of the version.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key"),
        Index("ix_webhooks_region", "region"),
        CheckConstraint("state IN ('active', 'paused', 'ended')", name="state"),
        CheckConstraint("(state = 'active') = (reason IS NULL)", name="reason"),
        CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name="previous"),
        CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="failing"),
        CheckConstraint("(idempotency_key IS NULL) = (request_digest IS NULL)", name="idempotency"),
    )

    id: UUID = Field(primary_key=True)
    version: int
    owner_id: str
    name: str
    url: str
    types: list[str] | None = Field(sa_type=ARRAY(Text), nullable=True)
    region: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    state: str
    reason: str | None
    state_since: datetime = Field(sa_type=_TIME)
    secret: bytes = Field(sa_type=LargeBinary)
    previous_secret: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)
    previous_until: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    failures: int = Field(0, sa_column_kwargs={"server_default": text("0")})
    failing_since: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    retry_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    delivered_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    idempotency_key: str | None = None
    request_digest: bytes | None = Field(None, sa_type=LargeBinary, nullable=True)


class WebhookFeed(GatewayTable, table=True):
    """How far a service's feed was read for all webhooks.

    `since` is null while the feed is read from its beginning because it was made anew; then only events after
    `anew_after` are new to us.
    """

    __tablename__ = "webhook_feeds"
    __table_args__ = (CheckConstraint("since IS NOT NULL OR anew_after IS NOT NULL", name="since"),)

    service: str = Field(primary_key=True)
    since: str | None
    position: int = Field(sa_type=BigInteger)
    newest_at: datetime = Field(sa_type=_TIME)
    anew_after: datetime | None = Field(None, sa_type=_TIME, nullable=True)


class WebhookCatchUp(GatewayTable, table=True):
    """A webhook that began at a cursor and has not yet come to where the others are; until then it reads alone."""

    __tablename__ = "webhook_catch_ups"

    webhook_id: UUID = Field(primary_key=True, foreign_key="webhooks.id", ondelete="CASCADE")
    service: str = Field(primary_key=True)
    since: str
