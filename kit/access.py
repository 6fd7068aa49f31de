"""Who may do what: roles, scopes and the region subtree of a caller. Deny by default.

The access rule of an endpoint is the type of its caller parameter, and the contract says it as `security` and
`x-whole-country`; the gateway refuses by it what the service would refuse, too:

    VillageReader = Annotated[Caller, requires(Scope.VILLAGES_READ)]
    RulesetAssessor = Annotated[Caller, requires(Scope.RULESETS_WRITE, whole_country=True)]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from contracts.regions import is_within
from kit import problems, touched


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
    AUDIT_READ = "audit:read"
    SELF_READ = "self:read"
    SELF_WRITE = "self:write"
    ACCOUNTS_MANAGE = "accounts:manage"
    CHANGES_READ = "changes:read"
    WEBHOOKS_MANAGE = "webhooks:manage"
    EVENTS_OPERATE = "events:operate"


_ONESELF = {Scope.SELF_READ, Scope.SELF_WRITE}
_READ = {
    *_ONESELF,
    Scope.REGIONS_READ,
    Scope.VILLAGES_READ,
    Scope.INTERVENTIONS_READ,
    Scope.ASSESSMENTS_READ,
    Scope.RULESETS_READ,
    Scope.RULESETS_EVALUATE,
    Scope.CHANGES_READ,
    Scope.WEBHOOKS_MANAGE,
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
    Role.OPERATOR: frozenset(_ONESELF | {Scope.CHANGES_READ, Scope.EVENTS_OPERATE}),
}
"""The one table of roles and scopes; gateway and services both read it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one region subtree."""

    role: Role
    region: str | None
    """Dotted Kemendagri code; None is the whole country."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls one operation: what his grants give him for its scopes. Services see nothing else of him."""

    id: str
    name: str
    roles: frozenset[Role]
    """Roles that he holds in the whole of the region."""
    region: str | None
    """Region subtree the caller may see and change; None is the whole country."""
    narrower: tuple[Grant, ...] = ()
    """Grants that allow the operation, too, in a part of the region."""

    def roles_at(self, region_code: str) -> frozenset[Role]:
        """Roles that he holds at one place: an officer of one regency is none in the rest of the province."""
        return self.roles | {grant.role for grant in self.narrower if is_within(region_code, grant.region)}

    def within(self, region_code: str) -> bool:
        """Whether a region lies in the caller's subtree."""
        return is_within(region_code, self.region)

    def narrow(self, region: str | None) -> str | None:
        """The region to filter by: what was asked for, or else the caller's own. The audit trail learns of it.

        Raises:
            RegionForbidden: the region asked for is outside the caller's.
        """
        if region is None:
            region = self.region
        touched.note(region)
        if region is not None and not self.within(region):
            raise problems.RegionForbidden(f"{region} is outside your region {self.region}")
        return region


@dataclass(frozen=True, slots=True)
class Principal:
    """Who somebody is, however he came in: a key, a token or an account, with all that was granted to him."""

    id: str
    name: str
    grants: tuple[Grant, ...]

    @property
    def scopes(self) -> frozenset[Scope]:
        """What he may do somewhere."""
        return frozenset[Scope]().union(*(SCOPES_OF[grant.role] for grant in self.grants))

    def allowing(self, scopes: Collection[Scope], *, whole_country: bool = False) -> list[Grant]:
        """The grants that allow an operation: each of them all its scopes, and the whole country where it concerns that.

        Raises:
            Forbidden: none allows the scopes.
            RegionForbidden: those that do are for regions, and the operation concerns the whole country.
        """
        grants = [grant for grant in self.grants if SCOPES_OF[grant.role].issuperset(scopes)]
        if not grants:
            raise problems.Forbidden(f"this needs the scope {' and '.join(sorted(scopes))}")
        national = [grant for grant in grants if grant.region is None] if whole_country else grants
        if not national:
            raise problems.RegionForbidden(f"this concerns the whole country, your region is {grants[0].region}")
        return national

    def caller(self, scopes: Collection[Scope], *, whole_country: bool = False) -> Caller:
        """Who he is to an operation: the widest region of the grants that allow it, and the roles held there.

        Raises:
            Forbidden: no grant allows the operation.
            RegionForbidden: it concerns the whole country, and no grant that allows it does.
            GrantsUnclear: its grants are for regions side by side, so there is no widest one; none is guessed.
        """
        grants = self.allowing(scopes, whole_country=whole_country)
        region = _widest(grants)
        return Caller(
            id=self.id,
            name=self.name,
            roles=frozenset(grant.role for grant in grants if grant.region == region),
            region=region,
            narrower=tuple(grant for grant in grants if grant.region != region),
        )


def _widest(grants: Sequence[Grant]) -> str | None:
    """The region that all others lie in.

    Raises:
        GrantsUnclear: there is none.
    """
    widest = min(grants, key=lambda grant: len(grant.region or ""))
    for grant in grants:
        if grant.region is not None and not is_within(grant.region, widest.region):
            raise problems.GrantsUnclear(
                f"{widest.role} in {widest.region} and {grant.role} in {grant.region} both allow this, "
                "and neither region lies in the other"
            )
    return widest.region


def check_grants(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Grants as one principal may have them: each once, in a fixed order.

    Raises:
        ValueError: with a sentence that says what is wrong: none, one twice, or two that allow the same in regions of
            which neither lies in the other. As a validator of pydantic's it becomes a 422.
    """
    given = list(grants)
    if not given:
        raise ValueError("at least one grant")
    if len(set(given)) != len(given):
        raise ValueError("each grant once")
    for scope in Scope:
        allowing = [grant for grant in given if scope in SCOPES_OF[grant.role]]
        try:
            if allowing:
                _widest(allowing)
        except problems.GrantsUnclear as unclear:
            raise ValueError(f"{unclear} ({scope})") from unclear
    return tuple(sorted(given, key=lambda grant: (grant.region or "", grant.role)))


SCHEME = "key"
WHOLE_COUNTRY_SCHEME = "key_of_whole_country"
"""Security schemes of the endpoints' signatures: by them `kit.openapi` writes each access rule into the contract."""

_ABOUT_KEYS = "An API key (`Authorization: Bearer kkb_...`); the gateway also takes it as `X-API-Key`."
_bearer = HTTPBearer(scheme_name=SCHEME, auto_error=False, description=_ABOUT_KEYS)
_national_bearer = HTTPBearer(scheme_name=WHOLE_COUNTRY_SCHEME, auto_error=False, description=_ABOUT_KEYS)

IDENTITY_HEADER = "x-kkb-identity"
"""Header in which the gateway hands the caller's signed identity to a service."""


def _principal(request: Request) -> Principal:
    verify: Callable[[str | None], Principal] = request.app.state.verify_identity
    return verify(request.headers.get(IDENTITY_HEADER))


async def known_caller(
    request: Request, security: SecurityScopes, _documented: Annotated[Any, Security(_bearer)]
) -> Caller:
    """Who calls, to the scopes that the endpoint declares.

    Raises:
        Unauthenticated: no token, or one that the gateway did not sign or that has expired.
        Forbidden: none of the grants allows the declared scopes.
        GrantsUnclear: those that do are for regions side by side.
    """
    return _principal(request).caller([Scope(scope) for scope in security.scopes])


async def known_national_caller(
    request: Request, security: SecurityScopes, _documented: Annotated[Any, Security(_national_bearer)]
) -> Caller:
    """Who calls an operation that concerns the whole country.

    Raises:
        Unauthenticated, Forbidden: as of any caller.
        RegionForbidden: the grants that allow the declared scopes are for regions.
    """
    return _principal(request).caller([Scope(scope) for scope in security.scopes], whole_country=True)


async def known_principal(
    request: Request, security: SecurityScopes, _documented: Annotated[Any, Security(_bearer)]
) -> Principal:
    """Who calls, with all his grants, where the endpoint is about them and not about a region.

    Raises:
        Unauthenticated: no token, or one that the gateway did not sign or that has expired.
        Forbidden: none of the grants allows the declared scopes.
    """
    principal = _principal(request)
    principal.allowing([Scope(scope) for scope in security.scopes])
    return principal


def requires(scope: Scope, *, whole_country: bool = False) -> Any:
    """Access rule of an endpoint: the second part of its caller's Annotated type.

    Args:
        scope: what the caller's grant must allow.
        whole_country: whether it must allow it in the whole country, because the operation concerns all of it.
    """
    return Security(known_national_caller if whole_country else known_caller, scopes=[scope.value])


def requires_anywhere(scope: Scope) -> Any:
    """Access rule of an endpoint that is about the caller himself: it is enough that a grant allows it somewhere."""
    return Security(known_principal, scopes=[scope.value])
