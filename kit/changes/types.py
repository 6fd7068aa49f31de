"""Which events a service tells, and what they are called for short."""

from __future__ import annotations

import re

from contracts.events import BY_TYPE, Event

_PREFIX = "id.kampungkb."
_VERSION = re.compile(r"\.v[0-9]+$")


def services() -> list[str]:
    """All services that tell events, in the order of the contracts."""
    return list(dict.fromkeys(kind.removeprefix(_PREFIX).partition(".")[0] for kind in BY_TYPE))


def types_of(service: str) -> dict[str, type[Event]]:
    """The service's events by their CloudEvents type; empty for a process that tells none."""
    return {kind: event for kind, event in BY_TYPE.items() if kind.startswith(f"{_PREFIX}{service}.")}


def short_name(kind: str) -> str:
    """An event type without owner and version: id.kampungkb.registry.profile-reported.v1 -> profile-reported."""
    return _VERSION.sub("", kind).rpartition(".")[2]


def types_by_name(service: str) -> dict[str, frozenset[str]]:
    """What a client may ask for: each type stands for itself, each short name for all versions of its type."""
    kinds = types_of(service)
    names = {kind: frozenset({kind}) for kind in kinds}
    return names | {short_name(k): frozenset(o for o in kinds if short_name(o) == short_name(k)) for k in kinds}
