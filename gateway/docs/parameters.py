"""Parameters as they are sent: what may be left out is optional, and no address can hold a null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.openapi import METHODS

Document = Mapping[str, Any]

_NULL = {"type": "null"}


def with_plain_parameters(document: Document) -> dict[str, Any]:
    """The document without the `null` that FastAPI writes into the schema of each optional parameter.

    In an address or a header there is nothing but text: `?region=null` asks for a region of this name.
    """
    paths = {
        path: {key: _plain(value) if key in METHODS else value for key, value in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "paths": paths}


def _plain(operation: Document) -> Document:
    if "parameters" not in operation:
        return operation
    parameters = [{**one, "schema": _without_null(one["schema"])} for one in operation["parameters"]]
    return {**operation, "parameters": parameters}


def _without_null(schema: Document) -> Document:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != _NULL]
    if not choices:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**choices[0], **rest} if len(choices) == 1 else {"anyOf": choices, **rest}
