"""Names of schemas as people and generated clients read them: CamelCase, and the same as their titles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_POINTER = "#/components/schemas/"
_MODULE = re.compile(r"services__[a-z]+__([a-z_]+?)__schemas__")


def plain(name: str) -> str:
    """`Page_KeyOut_` -> PageKeyOut, `Band-Input` -> BandInput, `services__scoring__what_ifs__schemas__Outcome` -> WhatIfsOutcome."""
    parts = re.split(r"[^A-Za-z0-9]+", _MODULE.sub(r"\1_", name))
    return "".join(part[:1].upper() + part[1:] for part in parts)


def with_plain_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with each schema under its plain name.

    Raises:
        ValueError: two schemas would have the same one.
    """
    schemas = document["components"]["schemas"]
    if len({plain(name) for name in schemas}) != len(schemas):
        raise ValueError("two schemas would have the same name")
    renamed: dict[str, Any] = _renamed(document)
    named = {plain(name): {**schema, "title": plain(name)} for name, schema in renamed["components"]["schemas"].items()}
    return {**renamed, "components": {**renamed["components"], "schemas": dict(sorted(named.items()))}}


def _renamed(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _renamed(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_renamed(value) for value in part]
    if isinstance(part, str) and part.startswith(_POINTER):
        return _POINTER + plain(part.removeprefix(_POINTER))
    return part
