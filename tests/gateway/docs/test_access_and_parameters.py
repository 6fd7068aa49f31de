"""What the merged contract says in words of access, and how it writes optional parameters."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.docs.access import with_access_said
from gateway.docs.parameters import with_plain_parameters


def said(**operation: Any) -> str:
    document = {"paths": {"/a": {"get": {"description": "Lists.", **operation}, "summary": "kept"}}}
    text: str = with_access_said(document)["paths"]["/a"]["get"]["description"]
    return text


def need(scope: str) -> dict[str, Any]:
    return {"security": [{"key": [scope]}, {"token": [scope]}]}


def test_scope_and_roles_are_named() -> None:
    assert said(**need("keys:manage")) == "Lists.\n\n**Access:** scope `keys:manage`; administrator."


def test_what_every_role_may_is_said_so() -> None:
    assert said(**need("self:read")).endswith("scope `self:read`; every role.")


def test_the_whole_country_and_the_quota_are_named() -> None:
    text = said(**need("rulesets:write"), **{"x-whole-country": True, "x-limit": "heavy"})
    assert text.endswith("only with a grant for the whole country. **Quota:** heavy.")


def test_who_needs_no_key_is_told() -> None:
    assert said(security=[]).endswith("open to everybody, without a key.")


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        ({"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]}, {"type": "string", "maxLength": 5}),
        ({"anyOf": [{"$ref": "#/a"}, {"type": "null"}], "title": "A"}, {"$ref": "#/a", "title": "A"}),
        (
            {"anyOf": [{"type": "string", "description": "any"}, {"type": "null"}], "description": "this"},
            {"type": "string", "description": "this"},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        ({"type": "integer", "default": 50}, {"type": "integer", "default": 50}),
    ],
)
def test_an_address_holds_no_null(schema: dict[str, Any], plain: dict[str, Any]) -> None:
    document = {"paths": {"/a": {"get": {"parameters": [{"name": "a", "in": "query", "schema": schema}]}}}}
    (parameter,) = with_plain_parameters(document)["paths"]["/a"]["get"]["parameters"]
    assert parameter["schema"] == plain
