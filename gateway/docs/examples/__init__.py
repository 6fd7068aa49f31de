"""Examples of requests and answers, put beside the operations of the merged contract. The lint holds each against its schema.

The answers were given by a running platform with the demonstration district; lists are cut to their first items, and secrets
are cut away. They are committed and not made anew: whoever changes an answer changes its example.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

Document = Mapping[str, Any]

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_FILES = ("gateway", "registry", "interventions", "scoring")
_JSON = "application/json"


def examples() -> dict[str, dict[str, Any]]:
    """By operationId: the body of a `request`, and of the `answer` to a good one."""
    folder = resources.files(__package__)
    read: dict[str, dict[str, Any]] = {}
    for service in _FILES:
        read |= json.loads((folder / f"{service}.json").read_text("utf-8"))
    return read


def with_examples(document: Document) -> dict[str, Any]:
    """The document with an example wherever there is one for an operation."""
    known = examples()
    paths = {
        path: {
            key: _with_example(value, known.get(value["operationId"], {})) if key in _METHODS else value
            for key, value in item.items()
        }
        for path, item in document.get("paths", {}).items()
    }
    return {**document, "paths": paths}


def _with_example(operation: Document, example: Mapping[str, Any]) -> Document:
    changed = dict(operation)
    if "request" in example:
        body = operation["requestBody"]
        media = next(iter(body["content"]))
        changed["requestBody"] = {**body, "content": _exemplified(body["content"], media, example["request"])}
    if "answer" in example:
        changed["responses"] = {
            status: _answered(answer, example["answer"]) if status.startswith("2") else answer
            for status, answer in operation["responses"].items()
        }
    return changed


def _answered(answer: Document, example: Any) -> dict[str, Any]:
    return {**answer, "content": _exemplified(answer["content"], _JSON, example)}


def _exemplified(content: Document, media: str, example: Any) -> dict[str, Any]:
    return {**content, media: {**content[media], "example": example}}
