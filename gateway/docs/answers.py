"""What the door itself can answer to an operation, besides what its service says: written into the merged contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit import problems
from kit.problems import MEDIA_TYPE, Problem

Document = Mapping[str, Any]

_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
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


def _with_answers(operation: Document, path: str, *, forwarded: bool) -> dict[str, Any]:
    answers = dict(operation.get("responses", {}))
    for kind in _possible(operation, path, forwarded=forwarded):
        answers.setdefault(str(kind.status), _response(kind))
    if not _can_be_refused(operation):
        for kind in (problems.Unauthenticated, problems.Forbidden, problems.Invalid):
            answers.pop(str(kind.status), None)
    return {**operation, "responses": {status: _shared(answers[status]) for status in sorted(answers)}}


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
        if answer.get("description") == kind.title and MEDIA_TYPE in answer.get("content", {}):
            return {"$ref": f"#/components/responses/{name}"}
    return answer


def _response(kind: type[Problem]) -> dict[str, Any]:
    example = {
        "type": f"urn:kampungkb:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "instance": "/api/v1/villages",
    }
    if kind is problems.Invalid:
        example["errors"] = [{"pointer": "#/region_code", "detail": "Field required"}]
    response: dict[str, Any] = {
        "description": kind.title,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "example": example}},
    }
    if kind in _HEADERS:
        response["headers"] = dict(_HEADERS[kind])
    return response
