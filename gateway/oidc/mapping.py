"""From a token's claims to grants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contracts.regions import parse_region_code
from gateway.oidc.schemas import Claim, GrantRule, Issuer
from kit.access import Grant

_MOST_GRANTS = 50
_LONGEST_NAME = 200


def grants_of(claims: Mapping[str, Any], issuer: Issuer) -> tuple[Grant, ...]:
    """What the issuer's rules grant for these claims, each once, in a fixed order; at most 50, the widest first.

    What is not understood grants nothing: an absent region is not the whole country.
    """
    found = {grant for rule in issuer.grants for grant in _grants(claims, rule)}
    ordered = sorted(found, key=lambda grant: (grant.region or "", grant.role))
    return tuple(ordered[:_MOST_GRANTS])


def name_of(claims: Mapping[str, Any], issuer: Issuer) -> str:
    """What the caller is called here."""
    named = None if issuer.name_claim is None else _claim(claims, issuer.name_claim)
    return named[:_LONGEST_NAME] if isinstance(named, str) and named.strip() else issuer.name


def _grants(claims: Mapping[str, Any], rule: GrantRule) -> Iterator[Grant]:
    if rule.value not in _texts(_claim(claims, rule.claim)):
        return
    if rule.region_claim is None:
        yield Grant(rule.role, rule.region)
        return
    for text in _texts(_claim(claims, rule.region_claim)):
        if text in rule.regions:
            yield Grant(rule.role, rule.regions[text])
        elif (code := _region_code(text)) is not None:
            yield Grant(rule.role, code)


def _claim(claims: Any, path: Claim) -> Any:
    for name in [path] if isinstance(path, str) else path:
        if not isinstance(claims, Mapping):
            return None
        claims = claims.get(name)
    return claims


def _texts(claim: Any) -> list[str]:
    """A claim's values: issuers write one value as a text and several as a list."""
    return [one for one in (claim if isinstance(claim, list) else [claim]) if isinstance(one, str)]


def _region_code(text: str) -> str | None:
    try:
        return parse_region_code(text)
    except ValueError:
        return None
