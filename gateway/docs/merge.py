"""One OpenAPI document out of the services' documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kit.openapi import METHODS

Document = Mapping[str, Any]
_Name = tuple[str, str]
"""Section and name of a component, such as ("schemas", "Village")."""

_POINTER = "#/components/"
_SECURITY = "securitySchemes"


def merge(documents: Mapping[str, Document], info: Document, schemes: Document) -> dict[str, Any]:
    """Merge the documents of services into one.

    Components that are equal in all documents that have them are shared; where one name means different things,
    each gets its service's name in front, so the outcome does not depend on the order of the services.

    Args:
        documents: service name -> its OpenAPI 3.1 document.
        info: the info object of the whole.
        schemes: security schemes at the gateway, by name; each alone opens every protected operation.

    Raises:
        ValueError: two services declare the same operation, or use the same operationId.
    """
    split = _to_split(documents)
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, dict[str, Any]] = {}
    for service, document in documents.items():
        _add_paths(paths, _rewritten(document.get("paths", {}), service, split), schemes)
        for (section, name), component in _components(document).items():
            new = _new_name(service, (section, name), split)
            known = components.setdefault(section, {}).setdefault(new, _rewritten(component, service, split))
            if known != _rewritten(component, service, split):
                raise ValueError(f"{new} of {service} takes the name of another component")
    _check_operation_ids(paths)
    return {
        "openapi": "3.1.0",
        "info": dict(info),
        "servers": [{"url": "/"}],
        "tags": _tags(documents),
        "paths": dict(sorted(paths.items())),
        "components": {
            **{section: dict(sorted(named.items())) for section, named in sorted(components.items())},
            _SECURITY: dict(schemes),
        },
    }


def _components(document: Document) -> dict[_Name, Any]:
    return {
        (section, name): component
        for section, named in document.get("components", {}).items()
        if section != _SECURITY  # the door's own: how services are entered is not how the platform is
        for name, component in named.items()
    }


def _to_split(documents: Mapping[str, Document]) -> set[_Name]:
    """Names that mean different things in different documents, directly or through what they refer to."""
    meanings: dict[_Name, list[Any]] = {}
    for document in documents.values():
        for name, component in _components(document).items():
            meanings.setdefault(name, []).append(component)
    shared = {name: found for name, found in meanings.items() if len(found) > 1}
    split = {name for name, found in shared.items() if any(other != found[0] for other in found)}
    while more := {name for name in shared.keys() - split if split.intersection(_references(shared[name]))}:
        split |= more
    return split


def _references(part: Any) -> Iterator[_Name]:
    if isinstance(part, Mapping):
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)
    elif isinstance(part, str) and part.startswith(_POINTER):
        section, _, name = part.removeprefix(_POINTER).partition("/")
        yield section, name


def _rewritten(part: Any, service: str, split: set[_Name]) -> Any:
    """A copy in which references ($ref and discriminator mappings) use the new names."""
    if isinstance(part, Mapping):
        return {key: _rewritten(value, service, split) for key, value in part.items()}
    if isinstance(part, list):
        return [_rewritten(value, service, split) for value in part]
    if isinstance(part, str) and part.startswith(_POINTER):
        section, _, name = part.removeprefix(_POINTER).partition("/")
        return f"{_POINTER}{section}/{_new_name(service, (section, name), split)}"
    return part


def _new_name(service: str, name: _Name, split: set[_Name]) -> str:
    return service.capitalize() + name[1] if name in split else name[1]


def _add_paths(paths: dict[str, dict[str, Any]], added: Mapping[str, Any], schemes: Document) -> None:
    for path, item in added.items():
        known = paths.setdefault(path, {})
        for key, value in item.items():
            if key in known:
                raise ValueError(f"{key} {path} is declared by two services")
            known[key] = _with_security(value, schemes) if key in METHODS else value


def _with_security(operation: Mapping[str, Any], schemes: Document) -> dict[str, Any]:
    scopes = sorted({s for need in operation.get("security", ()) for listed in need.values() for s in listed})
    return {**operation, "security": [{scheme: scopes} for scheme in schemes] if scopes else []}


def _operations(paths: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (operation for item in paths.values() for key, operation in item.items() if key in METHODS)


def _check_operation_ids(paths: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    for operation in _operations(paths):
        if operation["operationId"] in seen:
            raise ValueError(f"operationId {operation['operationId']} is used twice; generated clients need it unique")
        seen.add(operation["operationId"])


def _tags(documents: Mapping[str, Document]) -> list[Any]:
    """All tags, in the order of the services and of their operations; described where a service describes them."""
    described = {tag["name"]: tag for document in documents.values() for tag in document.get("tags", ())}
    used = [
        tag
        for document in documents.values()
        for operation in _operations(document.get("paths", {}))
        for tag in operation.get("tags", ())
    ]
    return [described.get(name, {"name": name}) for name in dict.fromkeys([*described, *used])]
