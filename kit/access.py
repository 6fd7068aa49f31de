"""Who may do what: roles, scopes and the region subtree of a caller. Deny by default.

The access rule of an endpoint is the type of its caller parameter:

    VillageReader = Annotated[Caller, Security(known_caller, scopes=["villages:read"])]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from contracts.regions import is_within
from kit import problems


class Role(StrEnum):
    """Roles of callers. A grant is a role within a region subtree."""

    READER = "reader"
    REPORTER = "reporter"
    OFFICER = "officer"
    PARTNER = "partner"
    ASSESSOR = "assessor"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What an operation needs."""

    REGIONS_READ = "regions:read"
    VILLAGES_READ = "villages:read"
    VILLAGES_WRITE = "villages:write"
    REPORTS_WRITE = "reports:write"
    IMPORTS_READ = "imports:read"
    IMPORTS_WRITE = "imports:write"
    INTERVENTIONS_READ = "interventions:read"
    INTERVENTIONS_WRITE = "interventions:write"
    ASSESSMENTS_READ = "assessments:read"
    ASSESSMENTS_RECOMPUTE = "assessments:recompute"
    RULESETS_READ = "rulesets:read"
    RULESETS_EVALUATE = "rulesets:evaluate"
    RULESETS_WRITE = "rulesets:write"
    DETERMINATIONS_ISSUE = "determinations:issue"
    KEYS_MANAGE = "keys:manage"
    SELF_READ = "self:read"
    CHANGES_READ = "changes:read"
    EVENTS_OPERATE = "events:operate"


_READ = {
    Scope.SELF_READ,
    Scope.REGIONS_READ,
    Scope.VILLAGES_READ,
    Scope.INTERVENTIONS_READ,
    Scope.ASSESSMENTS_READ,
    Scope.RULESETS_READ,
    Scope.RULESETS_EVALUATE,
    Scope.CHANGES_READ,
}
SCOPES_OF: dict[Role, frozenset[Scope]] = {
    Role.READER: frozenset(_READ),
    Role.REPORTER: frozenset(_READ | {Scope.REPORTS_WRITE}),
    Role.OFFICER: frozenset(
        _READ
        | {
            Scope.VILLAGES_WRITE,
            Scope.REPORTS_WRITE,
            Scope.IMPORTS_READ,
            Scope.IMPORTS_WRITE,
            Scope.INTERVENTIONS_WRITE,
        }
    ),
    Role.PARTNER: frozenset(_READ | {Scope.INTERVENTIONS_WRITE}),
    Role.ASSESSOR: frozenset(
        _READ
        | {
            Scope.ASSESSMENTS_RECOMPUTE,
            Scope.DETERMINATIONS_ISSUE,
            Scope.IMPORTS_READ,
            Scope.RULESETS_WRITE,
        }
    ),
    Role.ADMINISTRATOR: frozenset(Scope),
    Role.OPERATOR: frozenset({Scope.SELF_READ, Scope.CHANGES_READ, Scope.EVENTS_OPERATE}),
}
"""The one table of roles and scopes; gateway and services both read it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the gateway's token says."""

    id: str
    name: str
    roles: frozenset[Role]
    region: str | None
    """Region subtree the caller may see and change; None is the whole country."""

    @property
    def scopes(self) -> frozenset[Scope]:
        """Union of the scopes of all roles."""
        return frozenset[Scope]().union(*(SCOPES_OF[role] for role in self.roles))

    def may(self, scope: Scope) -> bool:
        """Whether one of the roles allows the scope."""
        return any(scope in SCOPES_OF[role] for role in self.roles)

    def within(self, region_code: str) -> bool:
        """Whether a region lies in the caller's subtree."""
        return is_within(region_code, self.region)

    def narrow(self, region: str | None) -> str | None:
        """The region to filter by: what was asked for, or else the caller's own.

        Raises:
            RegionForbidden: the region asked for is outside the caller's.
        """
        if region is None:
            return self.region
        if not self.within(region):
            raise problems.RegionForbidden(f"{region} is outside your region {self.region}")
        return region


bearer = HTTPBearer(
    scheme_name="key",
    auto_error=False,
    description="An API key (`Authorization: Bearer kkb_...`); the gateway also takes it as `X-API-Key`.",
)

IDENTITY_HEADER = "x-kkb-identity"
"""Header in which the gateway hands the caller's signed identity to a service."""


async def known_caller(
    request: Request, security: SecurityScopes, _documented: Annotated[Any, Security(bearer)]
) -> Caller:
    """The caller, checked against the scopes the endpoint declares.

    Raises:
        Unauthenticated: no token, or one that the gateway did not sign or that has expired.
        Forbidden: none of the caller's roles allows a declared scope.
    """
    verify: Callable[[str | None], Caller] = request.app.state.verify_identity
    caller = verify(request.headers.get(IDENTITY_HEADER))
    for scope in security.scopes:
        if not caller.may(Scope(scope)):
            raise problems.Forbidden(f"this needs the scope {scope}")
    return caller


def requires(scope: Scope) -> Any:
    """Access rule of an endpoint: the second part of its caller's Annotated type."""
    return Security(known_caller, scopes=[scope.value])
