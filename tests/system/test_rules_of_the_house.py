"""What must hold of every operation, walked over all routes: one way of doing things.

Who may do it is walked in tests/gateway/test_access.py.
"""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from kit.openapi import contract
from kit.process import contract_application
from tests.routes import api_routes

SERVICES = ("registry", "interventions", "scoring")
APPS = {name: contract_application(importlib.import_module(f"services.{name}.service").SERVICE) for name in SERVICES}
CONTRACTS = {name: contract(app) for name, app in APPS.items()}
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for document in CONTRACTS.values()
    for path, item in document["paths"].items()
    for method, operation in item.items()
]


ROUTES = [
    pytest.param(route, id=f"{next(iter(route.methods))} {route.path}")
    for app in APPS.values()
    for route in api_routes(app.routes)
]


class TestEveryOperation:
    def test_there_are_some(self) -> None:
        assert len(OPERATIONS) > 20
        assert len(ROUTES) == len(OPERATIONS)

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_describes_itself_and_its_problems(self, path: str, method: str, operation: dict[str, Any]) -> None:
        assert operation["description"], f"{method} {path} has no description"
        assert {"401", "403", "422", "500", "503"} <= set(operation["responses"])
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert "application/problem+json" in answer["content"], f"{method} {path} {status}"

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_a_list_is_paged(self, path: str, method: str, operation: dict[str, Any]) -> None:
        answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "Page_" not in answer.get("$ref", ""):
            return
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert {"limit", "cursor"} <= names, f"{method} {path}"

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_what_creates_takes_an_idempotency_key(self, path: str, method: str, operation: dict[str, Any]) -> None:
        if method != "post" or "201" not in operation["responses"]:
            return
        names = {parameter["name"].lower() for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert "idempotency-key" in names, f"{method} {path}"

    @pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
    def test_what_changes_takes_if_match(self, path: str, method: str, operation: dict[str, Any]) -> None:
        if method != "patch":
            return
        names = {parameter["name"].lower() for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert "if-match" in names, f"{method} {path}"

    @pytest.mark.parametrize("route", ROUTES)
    def test_unknown_fields_are_refused(self, route: APIRoute) -> None:
        for field in route.dependant.body_params:
            model = field.field_info.annotation
            if isinstance(model, type) and issubclass(model, BaseModel):
                assert model.model_config.get("extra") == "forbid", f"{model.__name__} takes unknown fields"

    @pytest.mark.parametrize("route", ROUTES)
    def test_unknown_query_parameters_are_refused(self, route: APIRoute) -> None:
        for field in route.dependant.query_params:
            model = field.field_info.annotation
            assert isinstance(model, type), f"{field.name} stands outside a filter model: unknown ones would be ignored"
            assert issubclass(model, BaseModel)
            assert model.model_config.get("extra") == "forbid"


def test_operation_ids_are_unique_over_all_services() -> None:
    counts = Counter(parameters.values[2]["operationId"] for parameters in OPERATIONS)
    assert [name for name, times in counts.items() if times > 1] == []


def test_no_path_belongs_to_two_services() -> None:
    counts = Counter(path for document in CONTRACTS.values() for path in document["paths"])
    assert [path for path, times in counts.items() if times > 1] == []


@pytest.mark.parametrize("name", SERVICES)
def test_no_contact_of_an_officer_in_any_answer(name: str) -> None:
    words = ("phone", "telepon", "kontak", "contact", "nip", "nik", "email")
    for schema_name, schema in CONTRACTS[name]["components"]["schemas"].items():
        for field in schema.get("properties", {}):
            assert not any(word in field.split("_") for word in words), f"{schema_name}.{field}"
