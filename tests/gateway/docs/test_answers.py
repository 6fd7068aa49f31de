"""What the door can answer stands in the merged contract, where it can happen and only there."""

from __future__ import annotations

from typing import Any

from gateway.docs.answers import shared_responses, with_the_doors_answers


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
        example = response["content"]["application/problem+json"]["example"]
        assert example["title"] == response["description"]
    assert "Retry-After" in shared_responses()["TooMany"]["headers"]
