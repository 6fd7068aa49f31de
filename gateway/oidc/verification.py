"""Tokens of trusted issuers: checked once, then remembered until they expire.

RFC 7519 (JWT), RFC 8725 (its best practices), RFC 9068 (access tokens), OpenID Connect Core 1.0.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import jwt

from gateway.identities import Minted
from gateway.metrics import OIDC_REFUSALS, forget_oidc_keys, watch_oidc_keys
from gateway.oidc.issuer_keys import FetchFailed, IssuerKeys, KeyLimits, fits, public_key
from gateway.oidc.mapping import grants_of, name_of
from gateway.oidc.schemas import Issuer
from kit.access import Principal
from kit.ops import Check
from kit.problems import Unauthenticated, Unavailable

SKEW_SECONDS = 60
"""How far an issuer's clock may be off."""
LONGEST_TOKEN = 16 * 1024
"""Characters of a token; those of identity providers with many groups have some thousand."""
NO_ISSUER = "(none)"
_LONGEST_SUBJECT = 255
"""OpenID Connect Core 1.0, 2."""


class Refusal(StrEnum):
    """Why a token was refused."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    ISSUER = "issuer"
    TYPE = "type"
    ALGORITHM = "algorithm"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    PARTY = "party"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    TOO_LONG = "too_long"
    CLAIMS = "claims"
    KEYS_AWAY = "keys_away"


_SENTENCES = {
    Refusal.TOO_LARGE: f"the token has more than {LONGEST_TOKEN} characters",
    Refusal.MALFORMED: "this is not a token",
    Refusal.ISSUER: "the token's issuer is not trusted here",
    Refusal.TYPE: "this is not an access token",
    Refusal.ALGORITHM: "the token's signature is of a kind that is not taken",
    Refusal.UNKNOWN_KEY: "the issuer has no such key",
    Refusal.SIGNATURE: "the token's signature is not the issuer's",
    Refusal.AUDIENCE: "the token was not issued for this platform",
    Refusal.PARTY: "the token was issued to a client that is not allowed",
    Refusal.EXPIRED: "the token has expired",
    Refusal.NOT_YET: "the token is not valid yet",
    Refusal.TOO_LONG: "the token is good for longer than allowed",
    Refusal.CLAIMS: "the token lacks a claim, or has one that cannot be read",
}

_BY_ERROR: tuple[tuple[type[Exception], Refusal], ...] = (
    (jwt.ExpiredSignatureError, Refusal.EXPIRED),
    (jwt.ImmatureSignatureError, Refusal.NOT_YET),
    (jwt.InvalidAudienceError, Refusal.AUDIENCE),
    (jwt.InvalidIssuerError, Refusal.ISSUER),
    (jwt.InvalidSignatureError, Refusal.SIGNATURE),
    (jwt.InvalidAlgorithmError, Refusal.ALGORITHM),
)


class Refused(Exception):
    """A token that does not open the door."""

    def __init__(self, reason: Refusal, issuer: str = NO_ISSUER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.issuer = issuer


@dataclass(slots=True)
class Verified:
    """What a token says, once it is believed."""

    principal: Principal
    expires: float
    """Unix time, the skew included."""
    identities: dict[str, Minted] = field(default_factory=dict)


class _Trusted:
    """One issuer with its keys."""

    def __init__(self, issuer: Issuer, keys: IssuerKeys) -> None:
        self.issuer = issuer
        self.keys = keys
        self.types = frozenset(_media_type(one) for one in issuer.types)


class TokenVerifier:
    """Checks tokens of trusted issuers."""

    def __init__(
        self, issuers: Sequence[Issuer], limits: KeyLimits, *, plain_http: bool, remembered: int = 4096
    ) -> None:
        self._limits = limits
        self._plain_http = plain_http
        self._trusted: dict[str, _Trusted] = {}
        self._left: list[IssuerKeys] = []
        """Keys of issuers that are not trusted any more, while somebody still waits for them."""
        self._remembered: OrderedDict[bytes, tuple[Verified, _Trusted, int]] = OrderedDict()
        self._most = remembered
        self.checks: dict[str, Check] = {}
        """What those who look after the gateway are shown of each issuer; the same object whoever is trusted."""
        self.trust(issuers)

    @property
    def keys(self) -> dict[str, IssuerKeys]:
        """Keys by the names of their issuers."""
        return {trusted.issuer.name: trusted.keys for trusted in self._trusted.values()}

    def trust(self, issuers: Sequence[Issuer]) -> None:
        """Trust these and no others from now on, by these rules; tokens that were believed are looked at again."""
        before, self._trusted = self._trusted, {one.issuer: self._trusting(one) for one in issuers}
        self._remembered.clear()
        kept = {id(keys) for keys in self.keys.values()}
        self._left = [
            keys
            for keys in (*self._left, *(one.keys for one in before.values()))
            if id(keys) not in kept and keys.fetching
        ]
        for name in {one.issuer.name for one in before.values()} - set(self.keys):
            forget_oidc_keys(name)
        for name, keys in self.keys.items():
            watch_oidc_keys(name, keys)
            for reason in Refusal:
                OIDC_REFUSALS.labels(name, reason)
        self.checks.clear()
        self.checks.update({f"issuer {name}": keys.check for name, keys in self.keys.items()})

    def _trusting(self, issuer: Issuer) -> _Trusted:
        """An issuer, with the keys that are at hand where they are still its: it may be away just now."""
        known = self._trusted.get(issuer.issuer)
        if known is not None and known.issuer == issuer:
            return known
        if known is not None and known.keys.serve(issuer):
            return _Trusted(issuer, known.keys)
        return _Trusted(issuer, IssuerKeys(issuer, self._limits, plain_http=self._plain_http))

    async def keep_fresh(self) -> None:
        """Fetch all keys before they are old, until cancelled."""
        while True:
            await asyncio.gather(*(keys.renew() for keys in self.keys.values()))
            await asyncio.sleep(min(self._limits.pause, self._limits.renew / 2))

    async def close(self) -> None:
        """Give up fetches under way."""
        for keys in (*self.keys.values(), *self._left):
            await keys.close()

    async def check(self, token: str) -> Verified:
        """What a token says.

        Raises:
            Unauthenticated: it is none, or none that is taken (RFC 6750, 3.1: invalid_token).
            Unavailable: it cannot be checked, because its issuer's keys cannot be fetched.
        """
        try:
            return await self._check(token)
        except Refused as refused:
            OIDC_REFUSALS.labels(refused.issuer, refused.reason).inc()
            if refused.reason is Refusal.KEYS_AWAY:
                raise Unavailable(f"the keys of {refused.issuer} cannot be fetched") from refused
            raise token_refused(_SENTENCES[refused.reason]) from refused

    async def _check(self, token: str) -> Verified:
        if len(token) > LONGEST_TOKEN:
            raise Refused(Refusal.TOO_LARGE)
        fingerprint = hashlib.sha256(token.encode()).digest()
        known = self._remembered.get(fingerprint)
        if known is not None:
            verified, trusted, changes = known
            if time.time() < verified.expires and trusted.keys.usable and changes == trusted.keys.changes:
                return verified
            del self._remembered[fingerprint]
        trusted, verified = await self._verify(token)
        while self._trusted.get(trusted.issuer.issuer) is not trusted:  # the file has changed meanwhile
            trusted, verified = await self._verify(token)
        self._remembered[fingerprint] = (verified, trusted, trusted.keys.changes)
        if len(self._remembered) > self._most:
            self._remembered.popitem(last=False)
        return verified

    async def _verify(self, token: str) -> tuple[_Trusted, Verified]:
        header, issuer = _unverified(token)
        trusted = self._trusted.get(issuer)
        if trusted is None:
            raise Refused(Refusal.ISSUER)
        try:
            _check_header(header, trusted)
            claims = await _claims(token, header, trusted)
            return trusted, _believed(claims, trusted.issuer)
        except Refused as refused:
            raise Refused(refused.reason, trusted.issuer.name) from refused


def token_refused(why: str) -> Unauthenticated:
    """The problem of a token that does not open the door, as RFC 6750 (3.1) tells clients of it."""
    challenge = f'Bearer realm="kampung-kb", error="invalid_token", error_description="{why}"'
    return Unauthenticated(why, headers={"WWW-Authenticate": challenge})


def _unverified(token: str) -> tuple[dict[str, Any], str]:
    """Header and issuer as the token states them: good for nothing but finding out whom to ask."""
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused(Refusal.MALFORMED) from None
    issuer = decoded["payload"].get("iss")
    if not isinstance(issuer, str):
        raise Refused(Refusal.ISSUER)
    return decoded["header"], issuer


def _check_header(header: dict[str, Any], trusted: _Trusted) -> None:
    # Keys that a token brings along (jwk, jku, x5c, x5u) are never looked at; what it calls critical is not known here.
    if "crit" in header or _media_type(header.get("typ", "JWT")) not in trusted.types:
        raise Refused(Refusal.TYPE)
    if header.get("alg") not in trusted.issuer.algorithms:
        raise Refused(Refusal.ALGORITHM)
    if not isinstance(header.get("kid"), str | None):
        raise Refused(Refusal.MALFORMED)


def _media_type(typ: Any) -> str:
    """A `typ` as it is compared: without `application/`, in lower case (RFC 7515, 4.1.9)."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""


async def _claims(token: str, header: dict[str, Any], trusted: _Trusted) -> dict[str, Any]:
    algorithm = header["alg"]
    try:
        key = await trusted.keys.find(header.get("kid"))
    except FetchFailed as failed:
        raise Refused(Refusal.KEYS_AWAY) from failed
    if key is None:
        raise Refused(Refusal.UNKNOWN_KEY)
    checked_with = public_key(key, algorithm) if fits(key, algorithm) else None
    if checked_with is None:
        raise Refused(Refusal.ALGORITHM)
    try:
        return jwt.decode(
            token,
            checked_with,
            algorithms=[algorithm],
            audience=trusted.issuer.audience,
            issuer=trusted.issuer.issuer,
            leeway=SKEW_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp"]},
        )
    except jwt.PyJWTError as error:
        raise Refused(_refusal(error)) from None


def _refusal(error: jwt.PyJWTError) -> Refusal:
    return next((reason for kind, reason in _BY_ERROR if isinstance(error, kind)), Refusal.CLAIMS)


def _believed(claims: Mapping[str, Any], issuer: Issuer) -> Verified:
    expires = int(claims["exp"])
    if expires > time.time() + issuer.longest_seconds + SKEW_SECONDS:
        raise Refused(Refusal.TOO_LONG)
    if issuer.authorized_parties is not None and _party(claims) not in issuer.authorized_parties:
        raise Refused(Refusal.PARTY)
    subject = claims["sub"]
    if not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise Refused(Refusal.CLAIMS)
    principal = Principal(subject_id(issuer.issuer, subject), name_of(claims, issuer), grants_of(claims, issuer))
    return Verified(principal, expires + SKEW_SECONDS)


def _party(claims: Mapping[str, Any]) -> Any:
    """The client that a token was issued to: `azp` (OpenID Connect), `client_id` (RFC 9068)."""
    return claims.get("azp", claims.get("client_id"))


def subject_id(issuer: str, subject: str) -> str:
    """What a person of an issuer is called here: always the same, and no e-mail address or number of his."""
    return f"oidc:{hashlib.sha256(chr(0).join((issuer, subject)).encode()).hexdigest()[:32]}"
