"""The lint of the merged contract: the committed one keeps its rules, and each rule sees its breach."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.lint_contract import CONTRACT, breaches

WHOLE: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))
KEYS = "/api/v1/keys"


def test_the_committed_contract_keeps_its_rules() -> None:
    assert breaches(WHOLE) == []


def issue_key(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"][KEYS]["post"]
    return operation


def list_keys(document: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = document["paths"][KEYS]["get"]
    return operation


def body(document: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = issue_key(document)["requestBody"]["content"]["application/json"]
    return content


def answer(document: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = issue_key(document)["responses"]["201"]["content"]["application/json"]
    return content


def named(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: issue_key(document).__setitem__(name, value)


def without(*statuses: str) -> Callable[[dict[str, Any]], None]:
    def remove(document: dict[str, Any]) -> None:
        for status in statuses:
            del issue_key(document)["responses"][status]

    return remove


def without_cursor(document: dict[str, Any]) -> None:
    operation = list_keys(document)
    operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "cursor"]


def undescribed_parameter(document: dict[str, Any]) -> None:
    parameter = next(one for one in list_keys(document)["parameters"] if one["name"] == "limit")
    parameter.pop("description", None)
    parameter["schema"].pop("description", None)


def plain_text_error(document: dict[str, Any]) -> None:
    issue_key(document)["responses"]["422"] = {"description": "No", "content": {"text/plain": {}}}


def kinds(document: dict[str, Any]) -> dict[str, Any]:
    examples: dict[str, Any] = issue_key(document)["responses"]["422"]["content"]["application/problem+json"][
        "examples"
    ]
    return examples


def next_year() -> str:
    return f"{datetime.now(UTC).year + 1}-12-31T00:00:00Z"


def open_body(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["KeyIn"]["additionalProperties"]


def open_inner_object(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["ProfileFacts"]["additionalProperties"]


def camel(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["KeyIn"]["properties"]["expiresAt"] = {"type": "string"}


@pytest.mark.parametrize(
    ("harm", "breach"),
    [
        (named("operationId", "issueKey"), "not verb_noun"),
        (named("operationId", "key_issuing"), "not verb_noun"),
        (named("operationId", "list_keys"), "operationId of 2 operations"),
        (named("summary", ""), "no summary"),
        (named("description", None), "no description"),
        (named("tags", ["secrets"]), "the tag secrets has no description"),
        (named("tags", []), "not exactly one tag"),
        (lambda document: issue_key(document).pop("security"), "no access rule"),
        (without("201"), "no good answer"),
        (without("401", "403"), "401, 403 can happen"),
        (without("413", "429"), "413, 429 can happen"),
        (plain_text_error, "422 is not answered as a problem"),
        (lambda document: kinds(document).clear(), "422 shows no problem"),
        (
            lambda document: kinds(document)["invalid"]["value"].update(status=0),
            "the problem invalid of 422 is another",
        ),
        (
            lambda document: kinds(document)["invalid"]["value"].pop("title"),
            "the problem invalid of 422 does not fit",
        ),
        (without_cursor, "a list without limit, cursor"),
        (undescribed_parameter, "the parameter limit is not described"),
        (lambda document: body(document).pop("example"), "no example of its body"),
        (lambda document: body(document)["example"].pop("roles"), "the example of its body does not fit"),
        (lambda document: answer(document).pop("example"), "no example of its answer 201"),
        (lambda document: answer(document)["example"].pop("roles"), "the example of 201 does not fit"),
        (lambda document: body(document)["example"].update(expires_at=next_year()), "will be past"),
        (open_body, "takes unknown members"),
        (open_inner_object, "takes unknown members"),
        (camel, "the member expiresAt is not in snake_case"),
        (lambda document: document["paths"].update({"/api/v1/newKeys": {}}), "neither kebab-case"),
    ],
)
def test_each_rule_sees_its_breach(harm: Callable[[dict[str, Any]], Any], breach: str) -> None:
    harmed = copy.deepcopy(WHOLE)
    harm(harmed)
    found = breaches(harmed)
    assert found
    assert any(breach in line for line in found), found
