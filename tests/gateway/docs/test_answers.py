"""What the door can answer stands in the merged contract, where it can happen and only there."""

from __future__ import annotations

from typing import Any, ClassVar

from gateway.docs.answers import shared_responses, with_good_answers_described, with_the_doors_answers
from kit.problems import RegionForbidden, VillageUnknown, problems


def document(path: str, **operation: Any) -> dict[str, Any]:
    security = {"security": [{"key": ["keys:manage"]}]}
    return {"paths": {path: {"post": {"responses": {"200": {"description": "Yes"}}, **security, **operation}}}}


def answers(path: str = "/a", *, forwarded: bool = True, **operation: Any) -> dict[str, Any]:
    whole = with_the_doors_answers(document(path, **operation), forwarded=forwarded)
    found: dict[str, Any] = whole["paths"][path]["post"]["responses"]
    return found


def test_every_operation_can_come_too_often_or_at_a_bad_time() -> None:
    assert {"429", "503"} <= set(answers())
    assert answers()["429"] == {"$ref": "#/components/responses/TooMany"}


def test_only_what_is_handed_on_can_fail_behind_the_door() -> None:
    assert {"502", "504"} <= set(answers())
    assert not {"502", "504"} & set(answers(forwarded=False))


def test_only_a_body_can_be_too_large_or_too_slow() -> None:
    assert {"408", "413"} <= set(answers(requestBody={"content": {}}))
    assert not {"408", "413"} & set(answers())


def test_only_an_address_with_parts_of_the_client_s_can_be_written_badly() -> None:
    assert "400" in answers("/a/{b}")
    assert "400" in answers(parameters=[{"in": "query", "name": "limit"}])
    assert "400" not in answers()


def test_what_a_service_says_itself_stays() -> None:
    own = {"description": "Too many rows", "content": {}}
    assert answers(responses={"413": own}, requestBody={"content": {}})["413"] == own


def test_where_nothing_can_be_wrong_nobody_is_refused() -> None:
    everything = {status: {"description": "No"} for status in ("200", "401", "403", "422")}
    open_to_all = answers(security=[], responses=everything)
    assert not {"401", "403", "422"} & set(open_to_all)


def test_shared_answers_are_problems_with_an_example() -> None:
    for response in shared_responses().values():
        (example,) = response["content"]["application/problem+json"]["examples"].values()
        assert example["value"]["title"] == response["description"]
    assert "Retry-After" in shared_responses()["TooMany"]["headers"]


def test_what_a_service_says_of_a_status_stands_beside_what_the_door_says() -> None:
    own = problems(RegionForbidden, VillageUnknown)
    found = answers(responses={"403": own[403], "404": own[404]})
    assert list(found["403"]["content"]["application/problem+json"]["examples"]) == ["region-forbidden", "forbidden"]
    assert found["403"]["description"] == f"{RegionForbidden.title}; or: Your role does not allow this operation"
    assert list(found["404"]["content"]["application/problem+json"]["examples"]) == ["village-unknown"]


class TestGoodAnswers:
    SCHEMAS: ClassVar[dict[str, Any]] = {
        "Key": {"description": "A key,\nwithout its secret.\n\nMore of it."},
        "Page": {"properties": {"items": {}, "next_cursor": {}}},
    }

    def said(self, status: str, content: dict[str, Any], description: str = "Successful Response") -> str:
        operation = {"responses": {status: {"description": description, "content": content}}}
        document = {"components": {"schemas": self.SCHEMAS}, "paths": {"/a": {"get": operation}}}
        text: str = with_good_answers_described(document)["paths"]["/a"]["get"]["responses"][status]["description"]
        return text

    def test_the_schema_says_what_comes_back(self) -> None:
        key = {"application/json": {"schema": {"$ref": "#/components/schemas/Key"}}}
        assert self.said("200", key) == "A key, without its secret."

    def test_a_page_says_how_to_go_on(self) -> None:
        assert "next_cursor" in self.said(
            "200", {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}
        )

    def test_a_file_is_a_file_and_nothing_is_nothing(self) -> None:
        assert "file" in self.said("200", {"text/csv": {}})
        assert self.said("204", {}) == "No Content"

    def test_what_an_endpoint_says_itself_stays(self) -> None:
        assert self.said("200", {"text/csv": {}}, "The table") == "The table"
