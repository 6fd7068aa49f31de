"""What the callers room answers, and how grants are written everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.regions import RegionCode
from gateway.admission import Credential
from kit.access import Grant, Principal, Role, Scope, check_grants

_MOST_GRANTS = 50


class GrantOut(BaseModel):
    """One role in one region subtree."""

    role: Role
    region: str | None = Field(description="Region subtree the role is good for; null: the whole country")

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """As it is answered."""
        return cls(role=grant.role, region=grant.region)


class GrantIn(BaseModel):
    """A role to give in one region subtree. The region has no default: the whole country must be said."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    region: RegionCode | None = Field(description="Region subtree the role is good for; null: the whole country")

    def grant(self) -> Grant:
        """As it is kept."""
        return Grant(self.role, self.region)


def _fitting(given: list[GrantIn]) -> list[GrantIn]:
    fitting = check_grants(one.grant() for one in given)
    return [GrantIn(role=grant.role, region=grant.region) for grant in fitting]


Grants = Annotated[list[GrantIn], Field(min_length=1, max_length=_MOST_GRANTS), AfterValidator(_fitting)]
"""Grants as somebody gives them: those that allow the same must be for regions of which one holds the others."""


class MyKey(BaseModel):
    """The key that somebody came with."""

    superseded: bool = Field(
        description="You came with the key as it was before its last rotation: change to the new one before "
        "`old_secret_until`"
    )
    expires_at: datetime | None = Field(description="Null: until it is revoked")
    rotated_at: datetime | None = Field(description="When it got the secret of now; null: it has its first one")
    rotated_by: str | None = Field(
        description="Who gave it that secret; your own `id`: somebody who had the key; null: nobody, or not known"
    )
    old_secret_until: datetime | None = Field(description="When the secret before the last rotation ends or ended")


class Me(BaseModel):
    """Who you are to the platform, and what you may do where."""

    id: str = Field(description="Id of your key, or what your person is called here: `account:...`, `oidc:...`")
    name: str
    credential: Credential = Field(
        description="What you came with: `key`; `token`, issued here for a key; `session`, the cookie of a sign-in here; `oidc`, a token of your office's identity provider"
    )
    roles: list[Role]
    scopes: list[Scope]
    region: str | None = Field(description="Region subtree of your grants, the widest; null: the whole country")
    grants: list[GrantOut] = Field(description="What was granted to you: each a role and where it is good for")
    expires_at: datetime | None = Field(
        description="When what you came with ends by itself; it may be taken away before. Null: it does not"
    )
    key: MyKey | None = Field(description="The key that you came with; null where you came otherwise")

    @classmethod
    def of(cls, principal: Principal, credential: Credential, expires_at: datetime | None, key: MyKey | None) -> Self:
        """As he sees himself.

        Raises:
            GrantsUnclear: his grants are for regions side by side.
        """
        return cls(
            id=principal.id,
            name=principal.name,
            credential=credential,
            roles=sorted({grant.role for grant in principal.grants}),
            scopes=sorted(principal.scopes),
            region=principal.caller([Scope.SELF_READ]).region,
            grants=[GrantOut.of(grant) for grant in principal.grants],
            expires_at=expires_at,
            key=key,
        )
