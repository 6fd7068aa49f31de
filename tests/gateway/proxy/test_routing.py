"""The table made of the contracts."""

from __future__ import annotations

import json

import pytest

from gateway.proxy.routing import RoutingTable
from kit.access import Scope
from kit.problems import BadPath, MethodNotAllowed, NotFound
from tests.gateway.proxy.scene import OK, answering


def declared(operation_id: str, scope: str = "villages:read") -> dict:
    return {"operationId": operation_id, "security": [{"key": [scope]}], "responses": {}}


DOCUMENT = {
    "paths": {
        "/api/v1/villages": {"get": declared("list"), "post": declared("register", "villages:write")},
        "/api/v1/villages/{village}": {"parameters": [], "get": declared("read"), "patch": declared("change")},
        "/api/v1/villages/search": {"post": declared("search")},
        "/api/v1/villages/{village}/profiles": {"get": declared("profiles")},
        "/api/v1/villages/search/{word}": {"get": declared("searched")},
        "/api/v1/open": {"get": {"operationId": "open", "security": [], "responses": {}}},
    }
}


@pytest.fixture
def table() -> RoutingTable:
    table = RoutingTable()
    table.add_document("registry", DOCUMENT)
    return table


class TestFinding:
    @pytest.mark.parametrize(
        ("method", "path", "operation"),
        [
            ("GET", "/api/v1/villages", "list"),
            ("POST", "/api/v1/villages", "register"),
            ("HEAD", "/api/v1/villages", "list"),
            ("GET", "/api/v1/villages/33.26.01.2001", "read"),
            ("GET", "/api/v1/villages/a%20b", "read"),
            ("POST", "/api/v1/villages/search", "search"),
            ("GET", "/api/v1/villages/search", "read"),
            ("GET", "/api/v1/villages/search/profiles", "searched"),
            ("GET", "/api/v1/villages/x/profiles", "profiles"),
            ("POST", "/api/v1/villages/se%61rch", "search"),
            ("GET", "/%61pi/v1/villages", "list"),
        ],
    )
    def test_concrete_before_variable_and_as_the_service_will_decode_it(self, table, method, path, operation):
        assert table.find(method, path).operation_id == operation

    def test_scopes_and_public_operations(self, table):
        assert table.find("POST", "/api/v1/villages").scopes == (Scope.VILLAGES_WRITE,)
        assert table.find("GET", "/api/v1/open").scopes == ()

    @pytest.mark.parametrize(
        "path",
        ["/", "/api", "/api/v1/villages/", "/api/v1/villages/x/", "/api/v1/Villages", "/api/v1/villages/x/profiles/y"],
    )
    def test_what_is_not_declared_is_not_there(self, table, path):
        with pytest.raises(NotFound):
            table.find("GET", path)

    def test_wrong_method_names_the_right_ones(self, table):
        with pytest.raises(MethodNotAllowed) as refused:
            table.find("DELETE", "/api/v1/villages/search")
        assert refused.value.headers == {"Allow": "GET, HEAD, PATCH, POST"}

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "*",
            "//api/v1/villages",
            "/api//v1/villages",
            "/api/v1/villages//profiles",
            "/api/v1/./villages",
            "/api/v1/../v1/villages",
            "/api/v1/villages/..",
            "/api/v1/villages/%2e%2E",
            "/api/v1/villages/%2e",
            "/api/v1%2Fvillages",
            "/api/v1/villages/a%2fb",
            "/api/v1/villages/a%5Cb",
            "/api/v1/villages/a\\b",
            "/api/v1/villages/%00",
            "/api/v1/villages/a%0d%0ab",
            "/api/v1/villages/%ff",
            "/api/v1/villages/%c0%af",
            "/api/v1/villages/%",
            "/api/v1/villages/%2",
            "/api/v1/villages/%zz",
            "/api/v1/villages/é",
            "/api/v1/villages/a|b",
            "/api/v1/villages/a\x7f",
        ],
    )
    def test_tricks_are_refused(self, table, path):
        with pytest.raises(BadPath):
            table.find("GET", path)


class TestCompiling:
    @pytest.mark.parametrize(
        ("paths", "complaint"),
        [
            ({"/a": {"get": {"responses": {}, "security": []}}}, "operationId"),
            ({"/a": {"get": {"operationId": "a", "responses": {}}}}, "access rule"),
            ({"/a": {"get": {"operationId": "a", "responses": {}, "security": [{"key": []}]}}}, "access rule"),
            ({"/a/{b}.csv": {"get": declared("a")}}, "whole path segment"),
            ({"/a/{b}": {"get": declared("a")}, "/a/{c}": {"get": declared("b")}}, "declared twice"),
            ({"/a": {"get": declared("a", "no:such")}}, "no:such"),
        ],
    )
    def test_contracts_that_cannot_be_kept_are_refused(self, paths, complaint):
        with pytest.raises(ValueError, match=complaint):
            RoutingTable().add_document("registry", {"paths": paths})

    def test_the_document_s_own_rule_holds_where_an_operation_has_none(self):
        table = RoutingTable()
        operation = {"operationId": "a", "responses": {}}
        table.add_document("registry", {"security": [{"key": ["villages:read"]}], "paths": {"/a": {"get": operation}}})
        assert table.find("GET", "/a").scopes == (Scope.VILLAGES_READ,)


class TestAtTheDoor:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/other", 404),
            ("GET", "/thing/a/b", 404),
            ("PATCH", "/thing", 405),
            ("OPTIONS", "/thing", 405),
            ("GET", "/thing/a%2fb", 400),
            ("GET", "/thing/../thing", 400),
            ("GET", "//thing", 400),
        ],
    )
    async def test_refused_without_touching_a_service(self, serve, front, method, path, status):
        service = await serve(answering(OK))
        answer = await (await (await front(service.url)).connect()).ask(method, path)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert json.loads(answer.body)["status"] == status
        assert ("allow" in answer.headers) == (status == 405)
        assert service.connections == 0
