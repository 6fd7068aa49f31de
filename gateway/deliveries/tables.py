"""Tables of the deliveries room."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field

from gateway.orm import GatewayTable

_TIME = DateTime(timezone=True)


class WebhookMessage(GatewayTable, table=True):
    """What is sent: an event as its owner told it, kept once however many webhooks want it."""

    __tablename__ = "webhook_messages"
    __table_args__ = (Index("ix_webhook_messages_logged_at", "logged_at"),)

    id: UUID = Field(primary_key=True)
    service: str
    type: str
    region_code: str | None = Field(sa_type=Text(collation="C"), nullable=True)
    body: bytes = Field(sa_type=LargeBinary)
    logged_at: datetime = Field(sa_type=_TIME)


class WebhookDelivery(GatewayTable, table=True):
    """One message to one webhook. `queue` says how it waits: in order, aside (tried often, holds up nobody), or as a ping.

    `id` is the order in which a webhook is sent its messages.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("webhook_id", "message_id"),
        Index("ix_webhook_deliveries_waiting", "webhook_id", "queue", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_message_id", "message_id"),
        Index("ix_webhook_deliveries_logged_at", "logged_at"),
        CheckConstraint("state IN ('waiting', 'delivered', 'given_up', 'skipped')", name="state"),
        CheckConstraint("queue IN ('order', 'aside', 'ping')", name="queue"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended_at"),
    )

    id: int = Field(sa_type=BigInteger, primary_key=True, sa_column_args=[Identity(always=True)])
    webhook_id: UUID = Field(foreign_key="webhooks.id", ondelete="CASCADE")
    message_id: UUID = Field(foreign_key="webhook_messages.id")
    logged_at: datetime = Field(sa_type=_TIME)
    state: str = Field(sa_column_kwargs={"server_default": text("'waiting'")})
    queue: str
    attempts: int = Field(sa_column_kwargs={"server_default": text("0")})
    tries: int = Field(sa_column_kwargs={"server_default": text("0")})
    first_tried_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)
    due_at: datetime = Field(sa_type=_TIME)
    ended_at: datetime | None = Field(None, sa_type=_TIME, nullable=True)


class WebhookAttempt(GatewayTable, table=True):
    """One attempt at a delivery."""

    __tablename__ = "webhook_attempts"

    delivery_id: int = Field(
        sa_type=BigInteger, primary_key=True, foreign_key="webhook_deliveries.id", ondelete="CASCADE"
    )
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=_TIME)
    outcome: str
    status: int | None
    milliseconds: int
    reason: str | None
    excerpt: str | None
