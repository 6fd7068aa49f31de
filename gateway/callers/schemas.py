"""What the callers room answers, and how grants are written everywhere."""

from __future__ import annotations

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

    @classmethod
    def of(cls, principal: Principal, credential: Credential) -> Self:
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
        )
