"""What the keys room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.regions import RegionCode
from gateway.keys.tables import ApiKey
from kit.access import Role
from kit.paging import ListFilters

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class KeyStatus(StrEnum):
    """Whether a key opens the door."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


def _each_once(roles: list[Role]) -> list[Role]:
    if len(set(roles)) != len(roles):
        raise ValueError("each role once")
    return sorted(roles)


class KeyIn(BaseModel):
    """A key to issue. Region and expiry have no default: whole country and for ever must be said."""

    model_config = ConfigDict(extra="forbid")

    name: Label = Field(description="What the key is for", examples=["SIGA Kabupaten Pekalongan"])
    owner: Label = Field(description="Institution that answers for it, not a person")
    roles: Annotated[list[Role], Field(min_length=1), AfterValidator(_each_once)]
    region: RegionCode | None = Field(description="Region subtree it is good for; null: the whole country")
    expires_at: AwareDatetime | None = Field(description="With time zone; null: until it is revoked")


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: UUID
    name: str
    owner: str
    roles: list[Role]
    region: str | None = Field(description="Null: the whole country")
    status: KeyStatus
    expires_at: datetime | None
    created_at: datetime
    created_by: str = Field(description="Id of the key that issued it, or `bootstrap`")
    last_used_at: datetime | None = Field(description="The hour in which it was last used; null: never")
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, key: ApiKey, now: datetime) -> Self:
        """From a row, as it is at a moment."""
        return cls(status=status_of(key, now), **key.model_dump(include=set(cls.model_fields)))


class KeyIssued(KeyOut):
    """A key just issued."""

    key: str | None = Field(
        description="The key itself, shown this once. Null in a replay (Idempotency-Replayed: true): "
        "only a hash is kept; if the first answer was lost, revoke this key and issue another"
    )


class KeyFilters(ListFilters):
    """Filters of the list of keys."""

    status: KeyStatus | None = None


def status_of(key: ApiKey, now: datetime) -> KeyStatus:
    """Revoked wins over expired."""
    if key.revoked_at is not None:
        return KeyStatus.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyStatus.EXPIRED
    return KeyStatus.ACTIVE
