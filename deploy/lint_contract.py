"""Does the merged contract keep its own rules? `python -m deploy.lint_contract`; every breach is a line."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema

CONTRACT = Path(__file__).parents[1] / "contracts/openapi/platform.json"

Document = Mapping[str, Any]

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_JSON = "application/json"
_PROBLEM = "application/problem+json"
_FIRST_ERROR = 400

_DAY = re.compile(r"\b(\d{4}-\d{2}-\d{2})(?=T|\b)")
FAR_AHEAD = date(2099, 1, 1)
"""A day of an example that must lie ahead is this one or later."""

_VERBS = """
accept add ask cancel change close compare complete correct create delete disable discard download draft
enable end evaluate explain export forget get give invite issue list open pause ping preview publish put
record redeliver register remove renew replace report requeue reset resume retire revoke rotate set sign start
test update upload validate verify withdraw
"""
VERBS = frozenset(_VERBS.split())
"""What operations do. A new word belongs here only if none of these says it."""

LISTS_IN_ONE_PIECE = {
    "list_actors": "the fixed code list",
    "list_family_functions": "the fixed code list",
    "list_funding_sources": "the fixed code list",
    "list_target_groups": "the fixed code list",
    "list_inpres_programmes": "the fixed catalogue",
    "list_feeds": "one a service",
    "list_intervention_revisions": "of one intervention",
    "list_rulesets": "a handful",
    "list_rulesets_in_force": "a handful",
}
"""Lists whose length the operators or the law decide, and not the users."""

WITHOUT_EXAMPLE = {
    "draft_ruleset": "a whole document; docs/rulesets.md",
    "replace_ruleset": "a whole document; docs/rulesets.md",
    "validate_document": "a whole document; docs/rulesets.md",
}
"""Bodies that are no good as an example, and where to read instead."""

WITHOUT_EXAMPLE_OF_ANSWER = {"get_contract": "the contract itself"}
"""Answers that are no good as an example."""


def breaches(document: Document) -> list[str]:
    """All breaches of the rules."""
    found = list(_of_the_whole(document))
    for where, operation in _operations(document):
        found += (f"{where}: {text}" for text in _of_an_operation(document, operation))
    for name, schema in document["components"]["schemas"].items():
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or schema.get("title") != name:
            found.append(f"{name}: not CamelCase, or not its own title")
        found += (f"{name}: {text}" for text in _of_a_schema(document, schema))
    return found


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for key, operation in item.items():
            if key in _METHODS:
                yield f"{key.upper()} {path}", operation


def _of_the_whole(document: Document) -> Iterator[str]:
    for operation_id, times in Counter(one["operationId"] for _, one in _operations(document)).items():
        if times > 1:
            yield f"{operation_id} is the operationId of {times} operations"
    described = {tag["name"] for tag in document["tags"] if tag.get("description")}
    for where, operation in _operations(document):
        for tag in operation.get("tags", ()):
            if tag not in described:
                yield f"{where}: the tag {tag} has no description"
    for path in document["paths"]:
        for segment in path.split("/"):
            if not re.fullmatch(r"|\{[a-z_]+\}|[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?", segment):
                yield f"{path}: {segment} is neither kebab-case nor a {{snake_case}} variable"


def _of_an_operation(document: Document, operation: Document) -> Iterator[str]:
    name = operation["operationId"]
    if not _SNAKE.fullmatch(name) or name.split("_")[0] not in VERBS or "_" not in name:
        yield f"operationId {name} is not verb_noun in snake_case"
    if not operation.get("summary") or not operation.get("description"):
        yield "no summary or no description"
    if len(operation.get("tags", ())) != 1:
        yield "not exactly one tag"
    if "security" not in operation:
        yield "no access rule"
    yield from _of_parameters(document, operation)
    yield from _of_answers(document, operation)
    yield from _of_a_list(document, operation)
    if "requestBody" in operation:
        yield from _of_a_body(document, operation)


def _of_parameters(document: Document, operation: Document) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        name, schema = one["name"], one.get("schema", {})
        if one["in"] != "header" and not _SNAKE.fullmatch(name):
            yield f"the parameter {name} is not in snake_case"
        if not (one.get("description") or _described(document, schema)):
            yield f"the parameter {name} is not described"
        for example in [*schema.get("examples", ()), *([one["example"]] if "example" in one else [])]:
            yield from _misfit(document, schema, example, f"the example of {name}")


def _described(document: Document, schema: Document) -> bool:
    return bool(schema.get("description") or _resolved(document, schema).get("description"))


def _of_answers(document: Document, operation: Document) -> Iterator[str]:
    answers = {status: _resolved(document, answer) for status, answer in operation["responses"].items()}
    if not any(status.startswith("2") for status in answers):
        yield "no good answer"
    for status, answer in answers.items():
        if not answer.get("description"):
            yield f"{status} has no description"
        if int(status) >= _FIRST_ERROR and list(answer.get("content", ())) != [_PROBLEM]:
            yield f"{status} is not answered as a problem"
        if int(status) >= _FIRST_ERROR:
            yield from _of_a_problem(document, status, answer)
        for kind, media in answer.get("content", {}).items():
            if "example" in media:
                yield from _misfit(document, media.get("schema", {}), media["example"], f"the example of {status}")
            elif status.startswith("2") and kind == _JSON and operation["operationId"] not in WITHOUT_EXAMPLE_OF_ANSWER:
                yield f"no example of its answer {status}"
    missing = sorted(_expected(operation) - set(answers))
    if missing:
        yield f"{', '.join(missing)} can happen and are not declared"


def _of_a_problem(document: Document, status: str, answer: Document) -> Iterator[str]:
    """Readers see which kinds a status has; each shows itself, and no made-up document."""
    media = answer.get("content", {}).get(_PROBLEM, {})
    if not media.get("examples"):
        yield f"{status} shows no problem"
    for slug, example in media.get("examples", {}).items():
        value = example["value"]
        if (value["type"], str(value["status"])) != (f"urn:kampungkb:problem:{slug}", status):
            yield f"the problem {slug} of {status} is another one"
        yield from _misfit(document, media["schema"], value, f"the problem {slug} of {status}")


def _expected(operation: Document) -> set[str]:
    expected = {"429", "500", "503"}
    if operation.get("security"):
        expected |= {"401", "403"}
    if operation.get("parameters") or "requestBody" in operation:
        expected.add("422")
    if "requestBody" in operation:
        expected |= {"408", "413"}
    if any(one["in"] in {"path", "query"} for one in operation.get("parameters", ())):
        expected.add("400")
    return expected


def _of_a_list(document: Document, operation: Document) -> Iterator[str]:
    content = operation["responses"].get("200", {}).get("content", {})
    schema = _resolved(document, content.get(_JSON, {}).get("schema", {}))
    items = schema.get("properties", {}).get("items")
    array = schema.get("type") == "array" or bool(items and items.get("type") == "array")
    if array and operation["operationId"].startswith("list_"):
        names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        changes = {"limit", "since"} <= names
        paged = "next_cursor" in schema.get("properties", {}) and {"limit", "cursor"} <= names
        if not paged and not changes and operation["operationId"] not in LISTS_IN_ONE_PIECE:
            yield "a list without limit, cursor and next_cursor"


def _of_a_body(document: Document, operation: Document) -> Iterator[str]:
    examples = []
    for media, content in operation["requestBody"]["content"].items():
        schema = content.get("schema", {})
        if media == _JSON:
            yield from _open_objects(document, schema, set())
        if "example" in content:
            examples.append(content["example"])
            yield from _misfit(document, schema, content["example"], "the example of its body")
            yield from _soon_past(content["example"], datetime.now(UTC).date())
    if not examples and operation["operationId"] not in WITHOUT_EXAMPLE:
        yield "no example of its body"


def _soon_past(example: Any, today: date) -> Iterator[str]:
    """Days ahead that will be past while somebody still tries the example; past days stay what they are."""
    for found in _DAY.findall(json.dumps(example)):
        if today.isoformat() < found < FAR_AHEAD.isoformat():
            yield f"{found} in the example of its body will be past: leave it out, or take {FAR_AHEAD} where that is allowed"


def _open_objects(document: Document, schema: Any, seen: set[str]) -> Iterator[str]:
    """Objects of a request that would take members nobody knows."""
    if isinstance(schema, list):
        for part in schema:
            yield from _open_objects(document, part, seen)
        return
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        if schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            yield from _open_objects(document, _resolved(document, schema), seen)
        return
    if "properties" in schema and schema.get("additionalProperties") is not False:
        yield f"{schema.get('title', 'an object')} of its body takes unknown members"
    for part in schema.values():
        if isinstance(part, Mapping | list):
            yield from _open_objects(document, list(part.values()) if isinstance(part, Mapping) else part, seen)


def _of_a_schema(document: Document, schema: Document) -> Iterator[str]:
    for name, member in schema.get("properties", {}).items():
        if not _SNAKE.fullmatch(name):
            yield f"the member {name} is not in snake_case"
        for example in member.get("examples", ()):
            yield from _misfit(document, member, example, f"the example of {name}")


def _misfit(document: Document, schema: Document, example: Any, what: str) -> Iterator[str]:
    whole = {**schema, "components": document["components"]}
    errors = jsonschema.Draft202012Validator(whole).iter_errors(example)
    for error in errors:
        yield f"{what} does not fit its schema: {error.message[:200]}"


def _resolved(document: Document, part: Document) -> Document:
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    resolved: Document = found
    return resolved


def main() -> int:
    """1 where there are breaches."""
    found = breaches(json.loads(CONTRACT.read_text(encoding="utf-8")))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
