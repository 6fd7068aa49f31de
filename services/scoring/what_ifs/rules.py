"""Rules of suppositions: facts in force with some of them different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.scoring.facts.rules import group_of


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


def redated(
    periods: Mapping[str, str], supposed: Mapping[str, Any], paths: Iterable[str], month: str
) -> dict[str, str]:
    """Periods with what is supposed as reported in this month; answers that are left as they are keep theirs.

    `paths` are all facts that reports can hold.
    """
    told = {group_of(path) for path in paths_of(supposed)}
    kinds = {group.partition(".")[0] for group in told}
    changed = dict(periods)
    for path in paths:
        kind, group = path.partition(".")[0], group_of(path)
        if kind in kinds and kind in periods and group not in told:
            changed.setdefault(group, periods[kind])
    return changed | dict.fromkeys(told | kinds, month)


def paths_of(supposed: Mapping[str, Any]) -> Iterator[str]:
    """Dotted paths of what is supposed; of a group that is not reported, or reported without answers, the group's."""
    for name, value in supposed.items():
        if isinstance(value, Mapping) and value:
            yield from (f"{name}.{path}" for path in paths_of(value))
        else:
            yield name


def not_asked(supposed: Mapping[str, Any], asked_for: Sequence[str]) -> list[str]:
    """Paths that a ruleset with these inputs does not look at, so that supposing them changes nothing."""
    return [
        path for path in paths_of(supposed) if not any(one == path or one.startswith(f"{path}.") for one in asked_for)
    ]
