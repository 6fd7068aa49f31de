"""Which answers are in force where several sources report on one village.

For each kind of report the latest report of every source system is taken; answer group by answer group the newest of
them that answers wins. So the silence of one source never erases another source's answer, while a newer report of the
same source that leaves a field blank does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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

    `facts` by report kind (a kind never reported is absent), for each answer group the report that answered it, the
    newest period of each kind, and the period of each answer group that is of an older one.
    """

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, Report] = field(default_factory=dict)
    newest_period: dict[str, str] = field(default_factory=dict)
    older_periods: dict[str, str] = field(default_factory=dict)

    @property
    def periods(self) -> dict[str, str]:
        """Periods by kind of report and by answer group, where that differs."""
        return self.newest_period | self.older_periods


def facts_in_force(reports: Iterable[Report]) -> InForce:
    """Facts in force out of all reports of one village, in whatever order they come."""
    in_force = InForce()
    for report in newest_first(latest_of_each_source(reports)):
        chosen = in_force.facts.setdefault(report.kind, {})
        in_force.newest_period.setdefault(report.kind, report.period)
        _take(report, f"{report.kind}.", report.facts, chosen, in_force)
    return in_force


def _take(report: Report, prefix: str, answers: Mapping[str, Any], chosen: dict[str, Any], in_force: InForce) -> None:
    """Take from a report what no newer one has answered."""
    sources = in_force.sources
    for name, answer in answers.items():
        group = prefix + name
        if answer is None or group in sources:
            continue
        if type(answer) is dict:
            if group in _EACH_MEMBER:
                _take(report, group + ".", answer, chosen.setdefault(name, {}), in_force)
                continue
            if all(value is None for value in answer.values()):  # an empty list is an answer ("none"), blanks are not
                continue
        sources[group] = report
        chosen[name] = answer
        if report.period != in_force.newest_period[report.kind]:
            in_force.older_periods[group] = report.period


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
    return sorted(reports, key=lambda report: (report.period, report.reported_at, report.source_system), reverse=True)


def group_of(path: str) -> str:
    """The answer group that a fact's path (profile.poktan.bkb, family_planning.methods.iud) belongs to."""
    outer, _, _ = path.rpartition(".")
    return outer if outer.count(".") == 1 and outer not in _EACH_MEMBER else path
