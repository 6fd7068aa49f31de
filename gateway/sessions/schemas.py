"""What the sessions room takes and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gateway.accounts.schemas import Typed
from gateway.sessions.tables import SignedIn
from kit.paging import ListFilters


class SignIn(BaseModel):
    """Who wants to come in."""

    model_config = ConfigDict(extra="forbid")

    login: Typed = Field(examples=["siti.pkb"])
    password: Typed


class SessionOut(BaseModel):
    """A session, without what its cookie holds."""

    id: UUID
    browser: str = Field(description="What it was opened with, coarsely", examples=["Firefox, Windows"])
    created_at: datetime
    last_used_at: datetime = Field(description="To within half a minute")
    expires_at: datetime = Field(description="When it ends however much it is used")
    current: bool = Field(description="The one that asks")

    @classmethod
    def of(cls, row: SignedIn, current: UUID | None) -> Self:
        """From a row."""
        return cls(current=row.id == current, **row.model_dump(include=set(cls.model_fields)))


class SessionFilters(ListFilters):
    """Filters of a list of sessions."""
