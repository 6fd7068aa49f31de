"""The OpenAPI contract of an app, as it is committed: our problem documents, its access rules, stable order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from kit.access import SCHEME, WHOLE_COUNTRY_SCHEME
from kit.problems import ProblemDocument

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
"""What an OpenAPI path item can hold besides descriptions."""
WHOLE_COUNTRY = "x-whole-country"
"""Says of an operation that only callers with a grant for the whole country may use it."""

_REF = "#/components/schemas/{model}"
HEAVY = {"x-limit": "heavy"}
"""`openapi_extra` of an operation that costs as much as hundreds of others: the gateway limits it by a quota of its own."""

_FASTAPI_ONLY = ("HTTPValidationError", "ValidationError")


class AccessRuleMissing(RuntimeError):
    """An operation does not say who may use it: neither a caller in its signature nor `security: []`."""


def contract(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI 3.1 document.

    Raises:
        AccessRuleMissing: an operation has no access rule.
    """
    document: dict[str, Any] = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FASTAPI_ONLY:
        schemas.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template=_REF)
    schemas |= problem.pop("$defs", {})
    schemas["ProblemDocument"] = problem
    document["components"].get("securitySchemes", {}).pop(WHOLE_COUNTRY_SCHEME, None)
    for name, operation in operations(document):
        _state_access_rule(name, operation)
    document["servers"] = [{"url": "/"}]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def operations(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of a document with its name, such as `GET /api/v1/villages`."""
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{method.upper()} {path}", operation


def _state_access_rule(name: str, operation: dict[str, Any]) -> None:
    """What the signature asks of the grant's region is an extension: OpenAPI's `security` has scopes only."""
    stated = operation.get("security")
    if stated is None or any(not scopes for requirement in stated for scopes in requirement.values()):
        raise AccessRuleMissing(f"{name} does not say who may use it")
    national = [requirement for requirement in stated if WHOLE_COUNTRY_SCHEME in requirement]
    if national:
        operation["security"] = [{SCHEME: requirement[WHOLE_COUNTRY_SCHEME]} for requirement in national]
        operation[WHOLE_COUNTRY] = True
