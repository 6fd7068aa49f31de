"""What the audit room takes and answers."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from contracts.audit_chain import Head
from contracts.regions import RegionCode
from gateway.audit.rules import AuditKind, moment
from gateway.audit.tables import AuditEntry
from kit.paging import ListFilters


class AuditEntryOut(BaseModel):
    """One entry of the audit trail."""

    number: int = Field(description="Place in the chain: 1, 2, 3, ... without gaps")
    id: UUID
    kind: AuditKind = Field(
        description="`change`: a request that may change something; `read`: a reading of something sensitive; `refusal`: "
        "requests that were refused (401, 403, 429), or led no stranger in, summed up per minute; `gap`: so many entries were lost"
    )
    at: str = Field(description="When it began, UTC with microseconds", examples=["2026-01-31T04:05:06.000007Z"])
    until: str | None = Field(description="When the last of several came")
    count: int = Field(description="How many requests it tells of; more than 1 only of refusals and gaps")
    caller: str | None = Field(description="Id of the key or account; null: a stranger")
    caller_name: str | None = Field(description="Its name at that time")
    caller_region: str | None = Field(description="Its region at that time; null: the whole country, or a stranger")
    credential: str | None = Field(description="What the caller showed", examples=["key"])
    address: str | None = Field(description="Address that the request came from", examples=["192.0.2.7"])
    operation: str | None = Field(examples=["register_village"])
    method: str | None = Field(examples=["POST"])
    resource: str | None = Field(description="Path, without the query", examples=["/api/v1/villages"])
    region: str | None = Field(
        description="Region it is about: the smallest that holds all it touched, or that its address names; null: the whole "
        "country, or not known",
        examples=["33.26"],
    )
    status: int | None = Field(
        description="Status of the answer; null: not known (the process ended, or the client left, before there was one)"
    )
    request_id: str | None
    note: str | None
    previous: str = Field(description="Digest of the entry before; 64 zeros of the first")
    digest: str = Field(
        description="SHA-256 (hex) of this object without `digest`, as canonical JSON: keys sorted, no blanks, UTF-8"
    )

    @classmethod
    def of(cls, row: AuditEntry) -> Self:
        """From a row."""
        same = row.model_dump(include=set(cls.model_fields) - {"at", "until", "previous", "digest"})
        times = {"at": moment(row.at), "until": moment(row.until)}
        return cls(**same, **times, previous=row.previous.hex(), digest=row.digest.hex())


class AuditHeadOut(BaseModel):
    """The end of the chain. Noted outside of the platform, it proves later that nothing before it was changed."""

    number: int = Field(description="Of the last entry; 0: there is none yet", examples=[1203])
    digest: str = Field(description="Of the last entry; 64 zeros where there is none yet")

    @classmethod
    def of(cls, head: Head) -> Self:
        """From the chain."""
        return cls(number=head.number, digest=head.digest)


class AuditFilters(ListFilters):
    """Filters of the audit trail."""

    kind: AuditKind | None = Field(None, description="Kind of entry")
    caller: str | None = Field(None, max_length=100, description="Id of a key or account")
    operation: str | None = Field(None, max_length=100, description="`operationId` of the contract")
    resource: str | None = Field(
        None, max_length=400, description="Beginning of the path", examples=["/api/v1/villages/33.26.01.2001"]
    )
    region: RegionCode | None = Field(None, description="Region it is about, and all within it")
    status: int | None = Field(None, ge=100, le=599, description="Status of the answer")
    request_id: str | None = Field(None, max_length=64, description="`X-Request-Id` of the answer")
    since: AwareDatetime | None = Field(None, description="Begun at this time or later; with time zone")
    until: AwareDatetime | None = Field(None, description="Begun before this time; with time zone")


class AuditExport(BaseModel):
    """Which entries to export."""

    model_config = ListFilters.model_config

    after: int = Field(0, ge=0, le=2**63 - 1, description="Number of the last entry you have; 0: from the beginning")
    limit: int = Field(5_000, ge=1, le=10_000, description="Most lines")
