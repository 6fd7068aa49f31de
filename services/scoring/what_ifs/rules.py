"""Rules of suppositions: facts in force with some of them different."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def suppose(facts: Mapping[str, Any], supposed: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with what is supposed put in its place, group by group; None means "not reported", not "as it is"."""
    changed = dict(facts)
    for name, value in supposed.items():
        own = changed.get(name)
        if isinstance(value, Mapping):
            changed[name] = suppose(own if isinstance(own, Mapping) else {}, value)
        else:
            changed[name] = value
    return changed


def paths_of(supposed: Mapping[str, Any]) -> Iterator[str]:
    """Dotted paths of what is supposed; of a whole group that is not reported, the group's."""
    for name, value in supposed.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{path}" for path in paths_of(value))
        else:
            yield name


def not_asked(supposed: Mapping[str, Any], asked_for: Sequence[str]) -> list[str]:
    """Paths that a ruleset with these inputs does not look at, so that supposing them changes nothing."""
    return [
        path for path in paths_of(supposed) if not any(one == path or one.startswith(f"{path}.") for one in asked_for)
    ]
