"""The OpenAPI contract of an app, as it is committed: our problem documents, one security scheme, stable order."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from kit.problems import ProblemDocument

_REF = "#/components/schemas/{model}"
HEAVY = {"x-limit": "heavy"}
"""`openapi_extra` of an operation that costs as much as hundreds of others: the gateway limits it by a quota of its own."""

_FASTAPI_ONLY = ("HTTPValidationError", "ValidationError")


def contract(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI 3.1 document."""
    document: dict[str, Any] = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FASTAPI_ONLY:
        schemas.pop(name, None)
    problem = ProblemDocument.model_json_schema(ref_template=_REF)
    schemas |= problem.pop("$defs", {})
    schemas["ProblemDocument"] = problem
    document["servers"] = [{"url": "/"}]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["paths"] = dict(sorted(document["paths"].items()))
    return document
