"""What the keys room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.regions import RegionCode
from gateway.keys.rules import LONGEST_OVERLAP, LONGEST_OWN_OVERLAP
from gateway.keys.tables import ApiKey
from gateway.proxy.origin import parse_network
from kit.access import Role
from kit.clock import hour_within
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


def _address_range(text: str) -> str:
    network = parse_network(text)
    if network.prefixlen == 0:
        raise ValueError("this is every address: give null for a key without limits")
    return str(network)


def _each_range_once(ranges: list[str]) -> list[str]:
    if len(set(ranges)) != len(ranges):
        raise ValueError("each range once")
    return sorted(ranges)


AddressRange = Annotated[str, StringConstraints(max_length=50), AfterValidator(_address_range)]
AllowedAddresses = Annotated[list[AddressRange], Field(min_length=1, max_length=50), AfterValidator(_each_range_once)]


class KeyIn(BaseModel):
    """A key to issue. Region and expiry have no default: whole country and for ever must be said."""

    model_config = ConfigDict(extra="forbid")

    name: Label = Field(description="What the key is for", examples=["SIGA Kabupaten Pekalongan"])
    owner: Label = Field(description="Institution that answers for it, not a person")
    roles: Annotated[list[Role], Field(min_length=1), AfterValidator(_each_once)]
    region: RegionCode | None = Field(description="Region subtree it is good for; null: the whole country")
    expires_at: AwareDatetime | None = Field(description="With time zone; null: until it is revoked")
    allowed_addresses: AllowedAddresses | None = Field(
        None,
        description="Addresses and networks (CIDR, IPv4 or IPv6) that it may be used from; null: from anywhere",
        examples=[["203.0.113.0/24", "2001:db8:1::/48"]],
    )


class KeyChange(BaseModel):
    """What to change of a key: what is left out stays. Roles and region never change; that would be another key."""

    model_config = ConfigDict(extra="forbid")

    expires_at: AwareDatetime | None = Field(None, description="With time zone; null: until it is revoked")
    allowed_addresses: AllowedAddresses | None = Field(
        None, description="Addresses and networks (CIDR) that it may be used from; null: from anywhere"
    )


class RotationIn(BaseModel):
    """How long the secret of now stays good beside the new one. No default: ending it at once must be said."""

    model_config = ConfigDict(extra="forbid")

    old_secret_until: AwareDatetime | None = Field(
        description=f"With time zone, at most {LONGEST_OVERLAP.days} days from now; null: the old secret ends at once"
    )


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: UUID
    version: int = Field(description="Grows with every change; the ETag is made of it")
    name: str
    owner: str
    roles: list[Role]
    region: str | None = Field(description="Null: the whole country")
    status: KeyStatus
    expires_at: datetime | None
    allowed_addresses: list[str] | None = Field(description="Networks it may be used from; null: from anywhere")
    created_at: datetime
    created_by: str = Field(description="Id of the key that issued it, or `bootstrap`")
    last_used_at: datetime | None = Field(
        description="Beginning of the hour in which it was last used, or `created_at` if that is later; null: never"
    )
    rotated_at: datetime | None = Field(description="When it got the secret of now; null: it has its first one")
    rotated_by: str | None = Field(
        description="Who gave it that secret: the id of an administrator's key or account, or the key's own id where its "
        "holder did; null: nobody, or not known"
    )
    old_secret_until: datetime | None = Field(description="When the secret before the last rotation ends or ended")
    old_secret_used_at: datetime | None = Field(
        description="Beginning of the hour in which that one was last used after the rotation, or `rotated_at` if that is "
        "later; null: never"
    )
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, key: ApiKey, now: datetime) -> Self:
        """From a row, as it is at a moment."""
        used = {
            "last_used_at": hour_within(key.last_used_at, key.created_at),
            "old_secret_used_at": hour_within(key.old_secret_used_at, key.rotated_at),
        }
        return cls(status=status_of(key, now), **{**key.model_dump(include=set(cls.model_fields)), **used})


class KeyIssued(KeyOut):
    """A key just issued."""

    key: str | None = Field(
        description="The key itself, shown this once. Null in a replay (Idempotency-Replayed: true): "
        "only a hash is kept; if the first answer was lost, revoke this key and issue another"
    )


class KeyRotated(KeyOut):
    """A key with its new secret."""

    key: str = Field(description="The key with its new secret, shown this once; the id is as before")


class OwnRotationIn(BaseModel):
    """A new secret for the key that asks. A span and no time of day: the request is good whatever the client's clock says."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(
        ge=0,
        le=int(LONGEST_OWN_OVERLAP.total_seconds() // 3600),
        description="How long the old secret stays good; 0: it ends at once, and with it whoever else has it",
    )


class OwnKeyRotated(BaseModel):
    """What the holder of a key learns of its rotation."""

    key: str | None = Field(
        description="The key with its new secret, shown this once; the id is as before. Null in a replay "
        "(Idempotency-Replayed: true): only a hash is kept; if the first answer was lost, have an administrator cancel "
        "the rotation"
    )
    id: UUID
    rotated_at: datetime
    old_secret_until: datetime = Field(description="When the secret before ends or ended")
    expires_at: datetime | None = Field(
        description="When the key itself ends, as before: a rotation does not lengthen its life; null: until it is revoked"
    )


class KeyFilters(ListFilters):
    """Filters of the list of keys."""

    status: KeyStatus | None = Field(None, description="Whether they open the door")
    role: Role | None = Field(None, description="Only those with this role")
    region: RegionCode | None = Field(None, description="Keys good for this region subtree or a part of it")
    owner: Label | None = Field(None, description="Exactly as it was given")
    expires_before: AwareDatetime | None = Field(None, description="With time zone; leaves out keys that never expire")
    not_used_since: AwareDatetime | None = Field(None, description="With time zone; includes keys that were never used")


def status_of(key: ApiKey, now: datetime) -> KeyStatus:
    """Revoked wins over expired."""
    if key.revoked_at is not None:
        return KeyStatus.REVOKED
    if key.expires_at is not None and key.expires_at <= now:
        return KeyStatus.EXPIRED
    return KeyStatus.ACTIVE
