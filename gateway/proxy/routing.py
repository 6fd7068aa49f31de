"""Which service answers which method and path, compiled from the committed OpenAPI documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from gateway.limits.classes import LimitClass, class_of
from gateway.proxy.dressing import notices_of
from gateway.proxy.shapes import Shape, shape_of
from kit.access import Scope
from kit.openapi import WHOLE_COUNTRY
from kit.problems import BadPath, MethodNotAllowed, NotFound

METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"})
"""Methods an OpenAPI path item can declare and the gateway hands on (TRACE would reflect credentials)."""

_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|/)*")
"""RFC 3986 path-absolute: pchar and complete percent-encodings only."""

_FORBIDDEN_DECODED = re.compile(r"[/\\\x00-\x1f\x7f\ufffd]")
"""What an encoding must not hide: separators, control characters and bytes that are not UTF-8."""

_VARIABLE = re.compile(r"\{[^{}]+\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path template."""

    service: str
    method: str
    template: str
    operation_id: str
    scopes: tuple[Scope, ...]
    """What the caller needs, all of it; empty only where the contract says that everybody may."""
    limit: LimitClass = LimitClass.READ
    """Which quota a request counts against."""
    waits: bool = False
    """Whether the service may let a request wait for something to happen (`x-waits` in its contract)."""
    whole_country: bool = False
    """Whether the caller needs it in the whole country (`x-whole-country` in its contract)."""
    shape: Shape | None = None
    """What its requests look like; None where no contract says it (pages)."""
    notices: tuple[tuple[bytes, bytes], ...] = ()
    """What its answers say of its end: `Deprecation` and `Sunset`."""
    keyed: bool = False
    """Whether it takes an `Idempotency-Key`, so that a request with one can be sent again."""


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    operations: dict[str, Operation] = field(default_factory=dict)


class RoutingTable:
    """A tree of path segments. What no document declares does not exist."""

    def __init__(self) -> None:
        self._root = _Node()
        self._operations: list[Operation] = []

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Everything declared, in the order of declaration."""
        return tuple(self._operations)

    def add_document(self, service: str, document: Mapping[str, Any]) -> None:
        """Add all operations of a service's OpenAPI document.

        Raises:
            ValueError: an operation without an access rule, a template this table cannot hold, or one declared twice.
        """
        for template, item in document.get("paths", {}).items():
            for name, declared in item.items():
                if name.upper() in METHODS:
                    self.add(_operation(service, name.upper(), template, declared, document.get("security")))

    def add(self, operation: Operation) -> None:
        """Add one operation; a second one for the same method and shape of path is a mistake in the contracts."""
        node = self._root
        for segment in operation.template.removeprefix("/").split("/"):
            node = _child(node, segment, operation.template)
        if operation.method in node.operations:
            raise ValueError(f"{operation.method} {operation.template} is declared twice")
        node.operations[operation.method] = operation
        self._operations.append(operation)

    def methods(self, raw_path: str) -> set[str]:
        """Methods declared at a path.

        Raises:
            BadPath, NotFound: as `find`.
        """
        found = {method for node in _matches(self._root, _segments(raw_path), 0) for method in node.operations}
        if not found:
            raise NotFound("no service declares this address")
        return found

    def find(self, method: str, raw_path: str) -> Operation:
        """The operation of a request. HEAD is answered by GET where it is not declared itself (RFC 9110, 9.3.2).

        Raises:
            BadPath: dot segments, empty segments, encoded separators, incomplete encodings.
            NotFound: nothing is declared at this path.
            MethodNotAllowed: something is, with other methods; they are named in Allow.
        """
        allowed: set[str] = set()
        for node in _matches(self._root, _segments(raw_path), 0):
            operation = node.operations.get(method)
            if operation is None and method == "HEAD":
                operation = node.operations.get("GET")
            if operation is not None:
                return operation
            allowed.update(node.operations)
        if not allowed:
            raise NotFound("no service declares this address")
        if "GET" in allowed:
            allowed.add("HEAD")
        raise MethodNotAllowed(headers={"Allow": ", ".join(sorted(allowed))})


def _segments(raw_path: str) -> list[str]:
    if not _PATH.fullmatch(raw_path):
        raise BadPath("only plain characters and complete percent-encodings are allowed")
    segments = raw_path[1:].split("/")
    if "%" in raw_path:
        # Services decode before they match, so the table must match what they will see.
        segments = [_decoded(segment) for segment in segments]
    if len(segments) > 1 and "" in segments[:-1]:
        raise BadPath("empty segments are not allowed")
    if "." in segments or ".." in segments:
        raise BadPath("dot segments are not allowed")
    return segments


def _decoded(segment: str) -> str:
    decoded = unquote(segment, errors="replace")
    if _FORBIDDEN_DECODED.search(decoded):
        raise BadPath("encoded separators and control characters are not allowed")
    return decoded


def _matches(node: _Node, segments: list[str], depth: int) -> Iterator[_Node]:
    """All nodes that fit, concrete segments before variables (OpenAPI 3.1, Paths Object)."""
    if depth == len(segments):
        if node.operations:
            yield node
        return
    segment = segments[depth]
    fixed = node.fixed.get(segment)
    if fixed is not None:
        yield from _matches(fixed, segments, depth + 1)
    if node.variable is not None and segment:
        yield from _matches(node.variable, segments, depth + 1)


def _child(node: _Node, segment: str, template: str) -> _Node:
    if _VARIABLE.fullmatch(segment):
        node.variable = node.variable or _Node()
        return node.variable
    if "{" in segment or "}" in segment:
        raise ValueError(f"{template}: a variable must be a whole path segment")
    return node.fixed.setdefault(segment, _Node())


def _operation(service: str, method: str, template: str, declared: Mapping[str, Any], default: Any) -> Operation:
    operation_id = declared.get("operationId")
    if not operation_id:
        raise ValueError(f"{method} {template} of {service} has no operationId")
    security = declared.get("security", default)
    scopes = _scopes(security)
    if not scopes and security != []:
        raise ValueError(f"{method} {template} of {service} has no access rule (scopes in security, or security: [])")
    return Operation(
        service,
        method,
        template,
        operation_id,
        scopes,
        limit=class_of(method, scopes, declared.get("x-limit")),
        waits=bool(declared.get("x-waits")),
        whole_country=bool(declared.get(WHOLE_COUNTRY)),
        shape=shape_of(template, declared),
        notices=tuple(notices_of(declared)),
        keyed=any(one.get("name", "").lower() == "idempotency-key" for one in declared.get("parameters", ())),
    )


def _scopes(security: Any) -> tuple[Scope, ...]:
    names = {name for requirement in security or () for scopes in requirement.values() for name in scopes}
    return tuple(Scope(name) for name in sorted(names))
