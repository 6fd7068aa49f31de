"""Which answers are in force where several sources report on one village.

For each kind of report the latest report of every source system is taken; answer group by answer group the newest of
them that answers wins. So the silence of one source never erases another source's answer, while a newer report of the
same source that leaves a field blank does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

_EACH_MEMBER = frozenset({"profile.poktan", "profile.mechanisms"})
"""Groups of independent questions; all other nested groups (methods, participants, reasons) are one answer, because
adding up numbers of two sources would be a number that nobody reported."""


class Report(NamedTuple):
    """One revision of one report, with where it comes from."""

    report_id: UUID
    kind: str
    source_system: str
    period: str
    revision: int
    simulated: bool
    reported_at: datetime
    facts: dict[str, Any]


@dataclass
class InForce:
    """Facts in force of one village.

    `reports` are those that count, newest first: the latest of each kind and source. `facts` by report kind (a kind
    never reported is absent; what nobody answered is absent or None), and the newest period of each kind.
    """

    reports: list[Report]
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest_period: dict[str, str] = field(default_factory=dict)

    @cached_property
    def sources(self) -> dict[str, Report]:
        """For each answer group the report that answered it."""
        found: dict[str, Report] = {}
        for report in self.reports:
            for group in _groups_answered(report):
                found.setdefault(group, report)
        return found

    @property
    def simulated(self) -> bool:
        """Whether any fact in force was made up."""
        return any(report.simulated for report in self.reports) and any(
            report.simulated for report in self.sources.values()
        )

    @property
    def periods(self) -> dict[str, str]:
        """Periods by kind of report, and by answer group where the answer is of an older one."""
        if len(self.reports) == len(self.newest_period):
            return self.newest_period
        groups = {group: report.period for group, report in self.sources.items()}
        newest = self.newest_period
        return newest | {group: month for group, month in groups.items() if month != newest[group.partition(".")[0]]}


def facts_in_force(reports: Iterable[Report]) -> InForce:
    """Facts in force out of all reports of one village, in whatever order they come."""
    in_force = InForce(newest_first(latest_of_each_source(reports)))
    facts, periods = in_force.facts, in_force.newest_period
    for report in in_force.reports:
        kind = report.kind
        if kind in facts:
            facts[kind] = _filled(facts[kind], report.facts, kind)
        else:
            facts[kind], periods[kind] = report.facts, report.period
    return in_force


def _filled(newer: Mapping[str, Any], older: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Answers, and where they are silent those of an older report."""
    found = dict(newer)
    for name, answer in older.items():
        own, group = found.get(name), f"{path}.{name}"
        if group in _EACH_MEMBER:
            found[name] = _filled(own or {}, answer or {}, group)
        elif not _is_answer(own):
            found[name] = answer
    return found


def _groups_answered(report: Report) -> Iterator[str]:
    for name, answer in report.facts.items():
        group = f"{report.kind}.{name}"
        if group in _EACH_MEMBER:
            yield from (f"{group}.{member}" for member, own in (answer or {}).items() if own is not None)
        elif _is_answer(answer):
            yield group


def _is_answer(value: Any) -> bool:
    """Whether that is an answer: an empty list is one ("none"), a blank or a group of blanks is not."""
    if type(value) is dict:
        return any(member is not None for member in value.values())
    return value is not None


def latest_of_each_source(reports: Iterable[Report]) -> list[Report]:
    """The latest report (period, then revision) for each kind and source system."""
    latest: dict[tuple[str, str], Report] = {}
    for report in reports:
        key = (report.kind, report.source_system)
        if key not in latest or (report.period, report.revision) > (latest[key].period, latest[key].revision):
            latest[key] = report
    return list(latest.values())


def newest_first(reports: Sequence[Report]) -> list[Report]:
    """Newest period first; within a period the one reported last.

    The source's name settles the rest, so that every order of arrival gives one result.
    """
    return sorted(reports, key=attrgetter("period", "reported_at", "source_system"), reverse=True)


def group_of(path: str) -> str:
    """The answer group that a fact's path (profile.poktan.bkb, family_planning.methods.iud) belongs to."""
    outer, _, _ = path.rpartition(".")
    return outer if outer.count(".") == 1 and outer not in _EACH_MEMBER else path
