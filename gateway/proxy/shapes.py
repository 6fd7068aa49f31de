"""What an operation's requests look like by its contract, compiled at the start; what does not fit ends at the door.

Services check everything again: this spares them what is plainly wrong, and what their own parser might read otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, unquote_plus
from uuid import UUID

from kit.problems import Invalid, UnsupportedMediaType

JSON_BYTES = 8 * 1024 * 1024
"""Largest JSON body: a ruleset, or a batch of villages, is far below; tables are uploaded as files."""
NO_BODY_BYTES = 64 * 1024
"""Largest body of a request for which the contract declares none."""

_UNKNOWN = "this operation has no such parameter"
_JSON = "application/json"
_JSON_LIKE = re.compile(r"application/[a-z0-9.+-]+\+json")
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")

Check = Callable[[str], str | None]
"""What is wrong with a value; None when nothing is."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a request of an operation may hold."""

    queries: frozenset[str]
    paths: tuple[tuple[int, str, Check], ...]
    """Place of the segment, name, and check of every path parameter that the contract says something about."""
    media_types: frozenset[str]
    most_bytes: int | None
    """Largest body; None where only the gateway's own limit holds."""

    def check(self, raw_path: str, query: bytes, media_type: bytes | None) -> None:
        """Check a request's address and the type of its body (None: there is none, or nobody says).

        Raises:
            Invalid: a path parameter does not fit, or a query parameter is unknown.
            UnsupportedMediaType: the body is of a type that the operation does not read.
        """
        if self.paths:
            self._check_path(raw_path.split("/"))
        if query:
            self._check_query(query)
        if media_type is not None and self.media_types:
            self._check_media_type(media_type.decode("latin-1"))

    def _check_path(self, segments: list[str]) -> None:
        for place, name, check in self.paths:
            wrong = check(unquote(segments[place]))
            if wrong is not None:
                pointer = f"path:{name}"
                raise Invalid(f"{pointer}: {wrong}", errors=[{"pointer": pointer, "detail": wrong}])

    def _check_query(self, query: bytes) -> None:
        given = {part.partition("=")[0] for part in query.decode("latin-1").split("&") if part}
        unknown = sorted({unquote_plus(name) for name in given} - self.queries)
        if unknown:
            errors = [{"pointer": f"query:{name}", "detail": _UNKNOWN} for name in unknown]
            raise Invalid(f"{_UNKNOWN}: {', '.join(unknown)}", errors=errors)

    def _check_media_type(self, given: str) -> None:
        plain = given.partition(";")[0].strip().lower()
        if plain in self.media_types or (_JSON in self.media_types and _JSON_LIKE.fullmatch(plain)):
            return
        raise UnsupportedMediaType(f"this address reads {', '.join(sorted(self.media_types))}")


def shape_of(template: str, declared: Mapping[str, Any]) -> Shape:
    """The shape that an operation's contract describes (OpenAPI 3.1, Operation Object)."""
    parameters = declared.get("parameters", ())
    places = {segment: place for place, segment in enumerate(template.split("/"))}
    checks = [
        (places[f"{{{one['name']}}}"], one["name"], check)
        for one in parameters
        if one["in"] == "path" and (check := _check_of(one.get("schema", {}))) is not None
    ]
    media_types = frozenset(declared.get("requestBody", {}).get("content", {}))
    return Shape(
        queries=frozenset(one["name"] for one in parameters if one["in"] == "query"),
        paths=tuple(checks),
        media_types=media_types,
        most_bytes=_most_bytes(declared, media_types),
    )


def _most_bytes(declared: Mapping[str, Any], media_types: frozenset[str]) -> int | None:
    stated = declared.get("x-most-bytes")
    if stated is not None:
        return int(stated)
    if not media_types:
        return NO_BODY_BYTES
    return JSON_BYTES if media_types == {_JSON} else None


def _check_of(schema: Mapping[str, Any]) -> Check | None:
    """A check of what can be checked of a single text; None where the schema says nothing of the kind."""
    if schema.get("format") == "uuid":
        return _is_uuid
    if schema.get("type") == "integer":
        return _integer(schema.get("minimum"), schema.get("maximum"))
    pattern, least, most = schema.get("pattern"), schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("type") != "string" or (pattern is None and not least and most is None):
        return None
    fits = re.compile(pattern).search if pattern is not None else None

    def check(text: str) -> str | None:
        if len(text) < least or (most is not None and len(text) > most):
            return f"from {least} to {most} characters" if most is not None else f"at least {least} characters"
        return f"it has the form {pattern}" if fits is not None and not fits(text) else None

    return check


def _is_uuid(text: str) -> str | None:
    try:
        UUID(text)
    except ValueError:
        return "this is no UUID"
    return None


def _integer(least: int | None, most: int | None) -> Check:
    def check(text: str) -> str | None:
        if not _INTEGER.fullmatch(text):
            return "this is no whole number"
        number = int(text)
        if (least is not None and number < least) or (most is not None and number > most):
            return f"from {least} to {most}"
        return None

    return check
