"""One contract out of several."""

from __future__ import annotations

import itertools
from typing import Any

import jsonschema
import pytest

from gateway.contract import own_document
from gateway.docs.merge import merge

INFO = {"title": "Semua", "version": "1"}
SCHEMES = {"key": {"type": "http", "scheme": "bearer"}, "header": {"type": "apiKey", "in": "header", "name": "X"}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def document(path: str, answers: str, /, scopes: tuple[str, ...] = ("a:read",), **schemas: Any) -> dict[str, Any]:
    operation = {
        "operationId": f"get_{path.strip('/')}",
        "tags": [path.strip("/")],
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": ref(answers)}}}},
        "security": [{"key": list(scopes)}] if scopes else [],
    }
    return {"openapi": "3.1.0", "paths": {path: {"get": operation}}, "components": {"schemas": schemas}}


def schema_at(whole: dict[str, Any], path: str) -> dict[str, Any]:
    content = whole["paths"][path]["get"]["responses"]["200"]["content"]
    return content["application/json"]["schema"]


class TestComponents:
    def test_equal_ones_are_shared(self) -> None:
        same = {"type": "object"}
        whole = merge({"one": document("/a", "X", X=same), "two": document("/b", "X", X=same)}, INFO, SCHEMES)
        assert whole["components"]["schemas"] == {"X": same}
        assert schema_at(whole, "/a") == schema_at(whole, "/b") == ref("X")

    def test_different_ones_get_their_service_s_name(self) -> None:
        one = document("/a", "X", X={"type": "object"})
        two = document("/b", "X", X={"type": "string"})
        whole = merge({"one": one, "two": two}, INFO, SCHEMES)
        assert whole["components"]["schemas"] == {"OneX": {"type": "object"}, "TwoX": {"type": "string"}}
        assert (schema_at(whole, "/a"), schema_at(whole, "/b")) == (ref("OneX"), ref("TwoX"))

    def test_those_that_refer_to_different_ones_are_different_too(self) -> None:
        outer = {"type": "array", "items": ref("Middle")}
        middle = {"oneOf": [ref("X")], "discriminator": {"propertyName": "k", "mapping": {"x": ref("X")["$ref"]}}}
        one = document("/a", "Outer", Outer=outer, Middle=middle, X={"type": "object"})
        two = document("/b", "Outer", Outer=outer, Middle=middle, X={"type": "string"})
        whole = merge({"one": one, "two": two}, INFO, SCHEMES)
        assert sorted(whole["components"]["schemas"]) == [
            "OneMiddle",
            "OneOuter",
            "OneX",
            "TwoMiddle",
            "TwoOuter",
            "TwoX",
        ]
        assert whole["components"]["schemas"]["TwoMiddle"]["discriminator"]["mapping"] == {"x": ref("TwoX")["$ref"]}
        assert whole["components"]["schemas"]["OneOuter"]["items"] == ref("OneMiddle")

    def test_the_order_of_services_does_not_matter(self) -> None:
        documents = {
            "one": document("/a", "X", X={"type": "object"}),
            "two": document("/b", "X", X={"type": "string"}),
            "three": document("/c", "X", X={"type": "object"}),
        }
        outcomes = [
            merge(dict(order), INFO, SCHEMES)["components"] for order in itertools.permutations(documents.items())
        ]
        assert all(outcome == outcomes[0] for outcome in outcomes)

    def test_a_new_name_that_is_taken_is_refused(self) -> None:
        one = document("/a", "X", X={"type": "object"}, TwoX={"type": "number"})
        two = document("/b", "X", X={"type": "string"})
        with pytest.raises(ValueError, match="TwoX"):
            merge({"one": one, "two": two}, INFO, SCHEMES)

    def test_nothing_of_the_services_is_changed(self) -> None:
        one, two = document("/a", "X", X={"type": "object"}), document("/b", "X", X={"type": "string"})
        before = repr((one, two))
        merge({"one": one, "two": two}, INFO, SCHEMES)
        assert repr((one, two)) == before


class TestOperations:
    def test_any_scheme_of_the_door_opens_a_protected_one(self) -> None:
        whole = merge({"one": document("/a", "X", X={}), "two": document("/b", "Y", scopes=(), Y={})}, INFO, SCHEMES)
        assert whole["paths"]["/a"]["get"]["security"] == [{"key": ["a:read"]}, {"header": ["a:read"]}]
        assert whole["paths"]["/b"]["get"]["security"] == []
        assert whole["components"]["securitySchemes"] == SCHEMES

    def test_one_address_with_methods_of_two_services(self) -> None:
        two = document("/a", "Y", Y={})
        two["paths"]["/a"] = {"post": {**two["paths"]["/a"]["get"], "operationId": "post_a"}}
        whole = merge({"one": document("/a", "X", X={}), "two": two}, INFO, SCHEMES)
        assert sorted(whole["paths"]["/a"]) == ["get", "post"]

    def test_the_same_operation_twice_is_refused(self) -> None:
        with pytest.raises(ValueError, match="two services"):
            merge({"one": document("/a", "X", X={}), "two": document("/a", "X", X={})}, INFO, SCHEMES)

    def test_the_same_operation_id_twice_is_refused(self) -> None:
        two = document("/b", "X", X={})
        two["paths"]["/b"]["get"]["operationId"] = "get_a"
        with pytest.raises(ValueError, match="get_a"):
            merge({"one": document("/a", "X", X={}), "two": two}, INFO, SCHEMES)

    def test_tags_stay_in_order_and_described(self) -> None:
        two = document("/b", "X", X={})
        two["tags"] = [{"name": "b", "description": "B"}]
        whole = merge({"one": document("/a", "X", X={}), "two": two}, INFO, SCHEMES)
        assert {tag["name"]: tag.get("description") for tag in whole["tags"]} == {"a": None, "b": "B"}
        assert whole["servers"] == [{"url": "/"}]


def test_the_gateway_s_own_contract_has_a_rule_for_every_operation() -> None:
    operations = [operation for item in own_document()["paths"].values() for operation in item.values()]
    assert all("security" in operation for operation in operations)
    public = {operation["operationId"] for operation in operations if operation["security"] == []}
    assert public == {"get_contract", "issue_token", "set_password_by_code", "sign_in"}


def test_merged_schemas_are_schemas() -> None:
    whole = merge({"gateway": own_document()}, INFO, SCHEMES)
    for name, schema in whole["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name
