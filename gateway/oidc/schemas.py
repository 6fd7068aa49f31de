"""The file that says which identity providers are trusted, and what their claims grant (`KKB_OIDC_FILE`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contracts.regions import RegionCode
from kit.access import Role

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # fmt: skip
"""Signatures by private keys only: `none` is no signature, and HS* would take the public key for a shared secret
(RFC 8725, 3.1 and 3.2)."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Claim = Text | Annotated[list[Text], Field(min_length=1, max_length=5)]
"""A claim's name, or the names on the way to a claim inside others, such as ["realm_access", "roles"]."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GrantRule(_Part):
    """A grant for those whose claim is a value, or a list with that value."""

    claim: Claim
    value: Text
    role: Role
    region: RegionCode | None = Field(None, description="Region subtree of the grant; null: the whole country")
    region_claim: Claim | None = Field(None, description="The claim that names the region, or a list of them")
    regions: dict[Text, RegionCode | None] = Field(
        default_factory=dict,
        description="What values of region_claim stand for; a value that is not here must be a region code itself",
    )

    @model_validator(mode="after")
    def _one_region(self) -> Self:
        """The whole country must be said: it never follows from what is left out."""
        if ("region" in self.model_fields_set) is (self.region_claim is not None):
            raise ValueError("either region (null: the whole country) or region_claim")
        if self.regions and self.region_claim is None:
            raise ValueError("regions belong to a region_claim")
        return self


class Issuer(_Part):
    """An identity provider."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = Field(
        description="Short name, for logs and metrics, and what its people are called here"
    )
    issuer: Text = Field(description="Exactly as its tokens say it (`iss`); the discovery document lies below it")
    audience: Text = Field(description="What its tokens for this platform have in `aud`; not the id of a client")
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["RS256", "ES256", "EdDSA"]
    types: Annotated[list[Text], Field(min_length=1)] = Field(
        ["at+jwt", "JWT"], description="Types of token that are taken (`typ` in the header; without one: JWT)"
    )
    authorized_parties: list[Text] | None = Field(
        None, description="Clients that tokens may have been issued to (`azp`, or `client_id`); null: any"
    )
    name_claim: Claim | None = Field(
        None, description="What callers are called here; without it the issuer's name, so that no person's is kept"
    )
    longest_seconds: int = Field(86_400, gt=0, description="Tokens that are good for longer than this are refused")
    grants: Annotated[list[GrantRule], Field(min_length=1, max_length=2000)]

    def check_address(self, *, plain_http: bool) -> None:
        """Refuse an address that keys must not be fetched from.

        Raises:
            OidcFileProblem: it is not https, or more than an address.
        """
        if not fetchable(self.issuer, plain_http=plain_http):
            raise OidcFileProblem(f"issuer {self.name}: {self.issuer} must be an https address without query")


class OidcSettings(_Part):
    """The whole file."""

    issuers: Annotated[list[Issuer], Field(max_length=20)] = Field(description="None: no token is taken any more")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what in ("name", "issuer"):
            if len({getattr(one, what) for one in self.issuers}) != len(self.issuers):
                raise ValueError(f"each {what} once")
        return self


class OidcFileProblem(RuntimeError):
    """The file cannot be used; the gateway does not start with half of it."""


def fetchable(address: str, *, plain_http: bool) -> bool:
    """Whether something may be fetched from an address: https, and http where a setting allows it."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    schemes = {"https", "http"} if plain_http else {"https"}
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in schemes and bool(parts.hostname) and plain


def read_oidc_file(path: Path, *, plain_http: bool) -> tuple[Issuer, ...]:
    """The issuers that are trusted.

    Raises:
        OidcFileProblem: the file is not there, or not as it must be, with a sentence that says where.
    """
    try:
        settings = OidcSettings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise OidcFileProblem(f"KKB_OIDC_FILE cannot be read: {error.strerror}") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
        raise OidcFileProblem(f"KKB_OIDC_FILE: {found}") from error
    for issuer in settings.issuers:
        issuer.check_address(plain_http=plain_http)
    return tuple(settings.issuers)
