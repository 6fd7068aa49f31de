"""What the accounts room takes and answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.accounts.rules import LOGIN, LONGEST_PASSWORD, SHORTEST_PASSWORD
from gateway.accounts.tables import Account
from gateway.callers.schemas import GrantOut, Grants
from kit.clock import hour_within
from kit.paging import ListFilters

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Login = Annotated[str, StringConstraints(pattern=LOGIN)]
Typed = Annotated[str, StringConstraints(min_length=1, max_length=4 * LONGEST_PASSWORD)]
"""A login, password or code as somebody types it, right or wrong."""


class AccountStatus(StrEnum):
    """Whether somebody can sign in."""

    INVITED = "invited"
    """No password yet, or none any more: a one-time code sets it."""
    ACTIVE = "active"
    DISABLED = "disabled"


class AccountIn(BaseModel):
    """An account to open. No contact data: the code is handed over by the administrator himself."""

    model_config = ConfigDict(extra="forbid")

    login: Login = Field(
        description="What is typed to sign in; small letters, digits, `.`, `_`, `-`", examples=["siti.pkb"]
    )
    name: Label = Field(description="What the person is called at work", examples=["Siti, PKB Kajen"])
    office: Label = Field(examples=["Dinas PMD P3A PPKB Kabupaten Pekalongan"])
    grants: Grants


class AccountChange(BaseModel):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Label | None = None
    office: Label | None = None
    grants: Grants | None = None
    disabled: bool | None = Field(None, description="A disabled account signs nobody in, and its sessions end at once")


class AccountOut(BaseModel):
    """An account. Its ETag is needed to change it."""

    id: UUID
    login: str
    name: str
    office: str
    grants: list[GrantOut]
    status: AccountStatus = Field(
        description="`invited`: there is no password, not yet or not any more (`reset_password` takes it away), and a "
        "one-time code sets it; `active`; `disabled`: nobody can sign in, whatever else"
    )
    code_expires_at: datetime | None = Field(description="Until when the one-time code is good; null: there is none")
    created_at: datetime
    created_by: str = Field(description="Id of who opened it")
    last_signed_in_at: datetime | None = Field(
        description="Beginning of the hour of the last sign-in, or `created_at` if that is later; null: never"
    )
    version: int

    @classmethod
    def of(cls, account: Account) -> Self:
        """From a row."""
        grants = [GrantOut.model_validate(grant) for grant in account.grants]
        plain = account.model_dump(include=set(cls.model_fields) - {"grants", "last_signed_in_at"})
        signed_in = hour_within(account.last_signed_in_at, account.created_at)
        return cls(grants=grants, status=status_of(account), last_signed_in_at=signed_in, **plain)


class AccountInvited(AccountOut):
    """An account with the one-time code that sets its password."""

    code: str | None = Field(
        description="Shown this once, for the administrator to hand over; good for 72 hours. Null in a replay "
        "(Idempotency-Replayed: true): only a hash is kept; if the first answer was lost, ask for another code"
    )


class AccountFilters(ListFilters):
    """Filters of the list of accounts."""

    status: AccountStatus | None = Field(None, description="Whether its owner can sign in")
    login: Login | None = Field(None, description="The account of exactly this login")


class PasswordByCodeIn(BaseModel):
    """A password, set with the one-time code of an invitation or a reset."""

    model_config = ConfigDict(extra="forbid")

    login: Typed
    code: Typed
    password: Typed = Field(description=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters of any kind")


class PasswordChange(BaseModel):
    """Another password, for who knows the present one."""

    model_config = ConfigDict(extra="forbid")

    current: Typed
    password: Typed = Field(description=f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters of any kind")


def status_of(account: Account) -> AccountStatus:
    """Disabled wins over invited."""
    if account.disabled_at is not None:
        return AccountStatus.DISABLED
    return AccountStatus.INVITED if account.password_hash is None else AccountStatus.ACTIVE
