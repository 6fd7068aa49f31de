"""Who may call an operation, said in its description: the rule is in the contract as data, and people read sentences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kit.access import SCOPES_OF
from kit.openapi import HEAVY, METHODS, WHOLE_COUNTRY

Document = Mapping[str, Any]


def scopes_of(operation: Document) -> list[str]:
    """The scopes that an operation needs; none where it is open to everybody."""
    return sorted({scope for need in operation["security"] for listed in need.values() for scope in listed})


def roles_with(scopes: Collection[str]) -> list[str]:
    """The roles that have all these scopes."""
    return [role.value for role, allowed in SCOPES_OF.items() if allowed.issuperset(scopes)]


def with_access_said(document: Document) -> dict[str, Any]:
    """The document with a last paragraph in each operation's description: scope, roles, region, quota."""
    paths = {
        path: {key: _said(value) if key in METHODS else value for key, value in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "paths": paths}


def _said(operation: Document) -> dict[str, Any]:
    return {**operation, "description": f"{operation.get('description', '')}\n\n{_sentence(operation)}".strip()}


def _sentence(operation: Document) -> str:
    scopes = scopes_of(operation)
    if not scopes:
        return "**Access:** open to everybody, without a key."
    roles = roles_with(scopes)
    who = "every role" if len(roles) == len(SCOPES_OF) else ", ".join(roles)
    said = f"**Access:** scope {', '.join(f'`{scope}`' for scope in scopes)}; {who}"
    if operation.get(WHOLE_COUNTRY):
        said += "; only with a grant for the whole country"
    if operation.items() >= HEAVY.items():
        said += ". **Quota:** heavy"
    return said + "."
