"""What the door itself can answer to an operation, besides what its service says: written into the merged contract."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from kit import problems
from kit.problems import MEDIA_TYPE, Problem

Document = Mapping[str, Any]

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_SCHEMAS = "#/components/schemas/"
_UNSAID = "Successful Response"
"""What FastAPI writes where an endpoint does not say what a good answer is."""
_SECONDS = {"schema": {"type": "integer", "minimum": 0}, "description": "Seconds to wait before asking again"}
_RETRY = {"Retry-After": _SECONDS}
_CHALLENGE = {
    "WWW-Authenticate": {
        "schema": {"type": "string"},
        "description": "How to come in (RFC 9110, 11.6.1)",
    }
}
_HEADERS: Mapping[type[Problem], Mapping[str, Any]] = {
    problems.Unauthenticated: _CHALLENGE,
    problems.TooMany: _RETRY,
    problems.Unavailable: _RETRY,
}

SHARED: Mapping[str, type[Problem]] = {
    "BadPath": problems.BadPath,
    "Unauthenticated": problems.Unauthenticated,
    "Forbidden": problems.Forbidden,
    "RequestTimeout": problems.RequestTimeout,
    "TooLarge": problems.TooLarge,
    "Invalid": problems.Invalid,
    "TooMany": problems.TooMany,
    "Internal": problems.InternalProblem,
    "BadUpstream": problems.BadUpstream,
    "Unavailable": problems.Unavailable,
    "UpstreamTimeout": problems.UpstreamTimeout,
}
"""Answers that many operations share, by their name among the components."""

_ANY = (problems.TooMany, problems.Unavailable)
_WITH_BODY = (problems.RequestTimeout, problems.TooLarge)
_FORWARDED = (problems.BadUpstream, problems.UpstreamTimeout)


def shared_responses() -> dict[str, Any]:
    """The components' responses."""
    return {name: _response(kind) for name, kind in SHARED.items()}


def with_the_doors_answers(document: Document, *, forwarded: bool) -> dict[str, Any]:
    """A service's document with what the door can answer to each operation.

    Args:
        document: the service's own contract.
        forwarded: whether its operations are answered by a service behind the gateway and not by the gateway itself.
    """
    paths = {
        path: {
            key: _with_answers(value, path, forwarded=forwarded) if key in _METHODS else value
            for key, value in item.items()
        }
        for path, item in document.get("paths", {}).items()
    }
    return {**document, "paths": paths}


def with_good_answers_described(document: Document) -> dict[str, Any]:
    """The document with the meaning of each good answer, where its service left that open: its schema says it, or its status."""
    schemas = document["components"]["schemas"]
    paths = {
        path: {key: _described(value, schemas) if key in _METHODS else value for key, value in item.items()}
        for path, item in document["paths"].items()
    }
    return {**document, "paths": paths}


def _described(operation: Document, schemas: Document) -> dict[str, Any]:
    answers = {
        status: {**answer, "description": _meaning(status, answer, schemas)}
        if answer.get("description") == _UNSAID
        else answer
        for status, answer in operation["responses"].items()
    }
    return {**operation, "responses": answers}


def _meaning(status: str, answer: Document, schemas: Document) -> str:
    content = answer.get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").removeprefix(_SCHEMAS)
    schema = schemas.get(name, {})
    if schema.get("description"):
        return str(schema["description"]).split("\n\n", 1)[0].replace("\n", " ")
    if "next_cursor" in schema.get("properties", {}):
        return "A page of the list; `next_cursor` asks for the next one and is null on the last."
    if content and "application/json" not in content:
        return "The file, sent as it is made."
    return HTTPStatus(int(status)).phrase


def _with_answers(operation: Document, path: str, *, forwarded: bool) -> dict[str, Any]:
    answers = dict(operation.get("responses", {}))
    for kind in _possible(operation, path, forwarded=forwarded):
        answers.setdefault(str(kind.status), _response(kind))
    for kind in _refusals(operation):
        if str(kind.status) in answers:
            answers[str(kind.status)] = _also(kind, answers[str(kind.status)])
    if not _can_be_refused(operation):
        for kind in (problems.Unauthenticated, problems.Forbidden, problems.Invalid):
            answers.pop(str(kind.status), None)
    return {**operation, "responses": {status: _shared(answers[status]) for status in sorted(answers)}}


def _refusals(operation: Document) -> list[type[Problem]]:
    """What any operation of its kind refuses: where one says something of its own of the status, both can happen."""
    kinds: list[type[Problem]] = []
    if operation.get("security"):
        kinds += [problems.Unauthenticated, problems.Forbidden]
    if operation.get("parameters") or "requestBody" in operation:
        kinds.append(problems.Invalid)
    return kinds


def _also(kind: type[Problem], answer: Document) -> Document:
    media = answer.get("content", {}).get(MEDIA_TYPE)
    if media is None or kind.slug in media["examples"]:
        return answer
    door = _response(kind)["content"][MEDIA_TYPE]["examples"]
    content = {MEDIA_TYPE: {**media, "examples": {**media["examples"], **door}}}
    return {**answer, "description": f"{answer['description']}; or: {kind.title}", "content": content}


def _possible(operation: Document, path: str, *, forwarded: bool) -> list[type[Problem]]:
    kinds: list[type[Problem]] = [*_ANY]
    if "{" in path or any(one["in"] == "query" for one in operation.get("parameters", ())):
        kinds.append(problems.BadPath)
    if "requestBody" in operation:
        kinds += _WITH_BODY
    if forwarded:
        kinds += _FORWARDED
    return kinds


def _can_be_refused(operation: Document) -> bool:
    """Whether there is anything that could be wrong: who asks, or what he sends."""
    return bool(operation.get("security") or operation.get("parameters") or "requestBody" in operation)


def _shared(answer: Document) -> Document:
    """A reference where the answer says just what a shared one says."""
    for name, kind in SHARED.items():
        if list(answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())) == [kind.slug]:
            return {"$ref": f"#/components/responses/{name}"}
    return answer


def _response(kind: type[Problem]) -> dict[str, Any]:
    response = problems.problems(kind)[kind.status]
    if kind is problems.Invalid:
        example = response["content"][MEDIA_TYPE]["examples"][kind.slug]["value"]
        example["errors"] = [{"pointer": "#/region_code", "detail": "Field required"}]
    if kind in _HEADERS:
        response["headers"] = dict(_HEADERS[kind])
    return response
