"""What the contract says of requests, checked at the door."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.contract import committed, own_document
from gateway.proxy.routing import RoutingTable
from gateway.proxy.shapes import JSON_BYTES, NO_BODY_BYTES, shape_of
from kit.problems import Invalid
from tests.gateway.proxy.scene import OK, answering

SECURITY = [{"key": ["villages:read"]}]
UUID = "0190b3a0-0000-7000-8000-000000000000"


def parameter(place: str, name: str, **schema: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "schema": schema}


DOCUMENT = {
    "paths": {
        "/shapes/{id}/{number}/{code}/{any}": {
            "get": {
                "operationId": "get",
                "security": SECURITY,
                "parameters": [
                    parameter("path", "id", type="string", format="uuid"),
                    parameter("path", "number", type="integer", minimum=1, maximum=99),
                    parameter("path", "code", type="string", pattern="^[a-z]+$", maxLength=4),
                    parameter("path", "any", type="string"),
                    parameter("query", "limit", type="integer"),
                    parameter("query", "type[]", type="string"),
                ],
            }
        },
        "/bodies": {
            "post": {
                "operationId": "post",
                "security": SECURITY,
                "requestBody": {"content": {"application/json": {}}},
                "x-most-bytes": 100,
            },
            "put": {"operationId": "put", "security": SECURITY, "requestBody": {"content": {"text/csv": {}}}},
            "delete": {"operationId": "delete", "security": SECURITY},
        },
    }
}


@pytest.fixture
async def asked(serve, front):
    """A client before a service with this contract, and the service."""
    service = await serve(answering(OK))
    door = await front(service.url, documents={"thing": DOCUMENT})
    return await door.connect(), service


class TestAddress:
    @pytest.mark.parametrize(
        ("path", "pointer"),
        [
            ("/shapes/nonsense/1/ab/x", "path:id"),
            (f"/shapes/{UUID}/0/ab/x", "path:number"),
            (f"/shapes/{UUID}/100/ab/x", "path:number"),
            (f"/shapes/{UUID}/1.5/ab/x", "path:number"),
            (f"/shapes/{UUID}/{'9' * 40}/ab/x", "path:number"),
            (f"/shapes/{UUID}/1/AB/x", "path:code"),
            (f"/shapes/{UUID}/1/abcde/x", "path:code"),
            (f"/shapes/{UUID}/1/a%20b/x", "path:code"),
            (f"/shapes/{UUID}/1/ab/x?other=1", "query:other"),
            (f"/shapes/{UUID}/1/ab/x?limit=1&Limit=2", "query:Limit"),
            (f"/shapes/{UUID}/1/ab/x?lim%69t=1&%6fther", "query:other"),
        ],
    )
    async def test_what_does_not_fit_is_a_422_with_its_place(self, asked, path, pointer):
        client, service = asked
        answer = await client.ask("GET", path)
        document = json.loads(answer.body)
        assert (answer.status, document["type"]) == (422, "urn:kampungkb:problem:invalid")
        assert [error["pointer"] for error in document["errors"]] == [pointer]
        assert service.heard == []

    @pytest.mark.parametrize(
        "path",
        [
            f"/shapes/{UUID}/1/ab/x",
            f"/shapes/{UUID}/99/ab/any%20thing?limit=5&type[]=a&type%5B%5D=b",
            f"/shapes/{UUID.replace('-', '')}/+5/abcd/x?&limit=",
        ],
    )
    async def test_what_fits_arrives_as_it_was_written(self, asked, path):
        client, service = asked
        assert (await client.ask("GET", path)).status == 200
        assert service.heard[0].line == f"GET {path} HTTP/1.1"

    def test_the_value_is_not_repeated(self):
        shape = shape_of("/x/{code}", {"parameters": [parameter("path", "code", type="string", pattern="^a$")]})
        with pytest.raises(Invalid) as caught:
            shape.check("/x/3326014501800001", b"", None)
        assert "3326014501800001" not in json.dumps(caught.value.body())


class TestBody:
    @pytest.mark.parametrize(
        "given", ["text/plain", "text/csv", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    async def test_a_type_that_is_not_declared_is_a_415(self, asked, given):
        client, service = asked
        answer = await client.ask("POST", "/bodies", f"content-type: {given}", body=b"{}")
        assert (answer.status, service.heard) == (415, [])

    @pytest.mark.parametrize(
        "given", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
    )
    async def test_a_type_that_is_declared_passes(self, asked, given):
        client, _ = asked
        assert (await client.ask("POST", "/bodies", f"content-type: {given}", body=b"{}")).status == 200

    async def test_who_sends_nothing_need_not_say_what(self, asked):
        client, _ = asked
        assert (await client.ask("DELETE", "/bodies", "content-type: text/plain")).status == 200

    async def test_the_contract_can_say_how_large(self, asked):
        client, service = asked
        answer = await client.ask("POST", "/bodies", "content-type: application/json", body=b"x" * 101)
        assert (answer.status, json.loads(answer.body)["limit"], service.heard) == (413, 100, [])
        assert (await client.ask("POST", "/bodies", "content-type: application/json", body=b"x" * 100)).status == 200

    async def test_also_where_it_comes_in_chunks(self, asked):
        client, _ = asked
        await client.send(b"POST /bodies HTTP/1.1\r\nhost: door\r\ntransfer-encoding: chunked\r\n\r\n")
        await client.send(b"ff\r\n" + b"x" * 255 + b"\r\n0\r\n\r\n")
        assert (await client.answer()).status == 413

    def test_sizes_by_what_is_declared(self):
        table = RoutingTable()
        table.add_document("thing", DOCUMENT)
        shapes = {one.method: one.shape for one in table.operations}
        assert shapes["PUT"].most_bytes is None
        assert shapes["DELETE"].most_bytes == NO_BODY_BYTES
        assert shape_of("/x", {"requestBody": {"content": {"application/json": {}}}}).most_bytes == JSON_BYTES


def test_the_committed_contracts_have_shapes_that_let_their_own_examples_through():
    table = RoutingTable()
    for service, document in {**committed(), "gateway": own_document()}.items():
        table.add_document(service, document)
    checked = 0
    for document in committed().values():
        for template, item in document["paths"].items():
            for name, declared in item.items():
                examples = {
                    one["name"]: str(one["schema"]["examples"][0])
                    for one in declared.get("parameters", ())
                    if one["in"] == "path" and one["schema"].get("examples")
                }
                if template.count("{") == len(examples) > 0:
                    path = template.format(**examples)
                    shape = table.find(name.upper(), path).shape
                    assert shape is not None
                    shape.check(path, b"", None)
                    checked += 1
    assert checked > 10
