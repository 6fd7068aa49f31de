"""From rows to what they say together: which villages have a Kampung KB, and their reports month by month.

Only what SIGA says is said. A blank cell says "not reported"; a column or table that is not there says nothing at all,
and what an earlier import of the same source said about that month stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from contracts.facts import ReportKind
from services.registry.aliases.rules import (
    Gazetteer,
    How,
    KnownAlias,
    Placed,
    PlaceReason,
    Resolver,
    Unplaced,
    WrittenPlace,
    place_key,
    shown,
)
from services.registry.imports.reasons import SKIPPING, RowReason, RowStatus
from services.registry.imports.siga.kinds import ANNOUNCED, FIRST_LAUNCH_YEARS, KINDS, Meaning, Rhythm
from services.registry.imports.siga.rows import ReadTable, Row

REPORTS_OF: Final[dict[str, tuple[ReportKind, ...]]] = {
    kind.name: tuple(dict.fromkeys(column.report for column in kind.columns if column.report is not None))
    for kind in KINDS
}
"""The reports each kind of table says something about; none for the table that announces Kampung KB."""

Said = dict[tuple[str, ...], int | bool | None]
"""What tables say about one village, month and report: path in the facts → value; None is "not reported"."""

ReportKey = tuple[ReportKind, str, str]
"""Report kind, village code (dotted), period ("YYYY-MM")."""


class Launch(NamedTuple):
    """When a Kampung KB was launched as far as SIGA says: a year, only "after 2019", or neither."""

    year: int | None = None
    after_2019: bool = False


class Announcement(NamedTuple):
    """SIGA says how many Kampung KB a village has. `launch` is empty where its year columns contradict the count."""

    code: str
    kampung_kb: int
    launch: Launch
    row: Row


class Alias(NamedTuple):
    """A written place that is not the official name, and the village it was found to mean."""

    key: str
    written: WrittenPlace
    code: str
    how: How
    remembered: bool


class UnresolvedPlace(NamedTuple):
    """A written place that was not resolved, why, and how many rows carry it."""

    written: WrittenPlace
    reason: PlaceReason
    detail: str
    rows: int


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that one import says, before anything is stored.

    `announcements` holds one entry per village named by a table of Kampung KB; `said` the reports to store;
    `rows` every row read, those that are not used with their reason; `months` the months the import speaks about.
    """

    rows: list[Row]
    announcements: list[Announcement]
    said: dict[ReportKey, Said]
    months: tuple[str, ...]
    aliases: list[Alias]
    unresolved: list[UnresolvedPlace]
    villages_resolved: int


@dataclass(slots=True)
class _Places:
    """Every distinct written place of an import and what it was found to mean."""

    outcomes: dict[WrittenPlace, Placed | Unplaced] = field(default_factory=dict)

    def unresolved(self, rows: Iterable[Row]) -> list[UnresolvedPlace]:
        counts: dict[WrittenPlace, int] = defaultdict(int)
        for row in rows:
            if row.place is not None and isinstance(self.outcomes[row.place], Unplaced):
                counts[row.place] += 1
        found = []
        for place, count in counts.items():
            outcome = self.outcomes[place]
            if isinstance(outcome, Unplaced):
                found.append(UnresolvedPlace(_one_line(place), outcome.reason, outcome.detail, count))
        return sorted(found)

    def aliases(self, rows: Iterable[Row]) -> list[Alias]:
        """Only names that a row carries which was not rejected: a mistyped KODE must not teach a name."""
        sound = {row.place for row in rows if row.place is not None and (row.reason is None or row.reason in SKIPPING)}
        by_key: dict[str, Alias] = {}
        for place in sound:
            outcome = self.outcomes[place]
            if isinstance(outcome, Placed) and outcome.how is not How.NAME:
                written = _one_line(place._replace(kode=""))
                key = place_key(place)
                by_key[key] = Alias(key, written, outcome.code, outcome.how, outcome.remembered)
        return [by_key[key] for key in sorted(by_key)]


def _one_line(place: WrittenPlace) -> WrittenPlace:
    return WrittenPlace(*(shown(name) for name in place))


def assemble(
    tables: Sequence[ReadTable],
    gazetteer: Gazetteer,
    known: Mapping[str, KnownAlias],
    region: str,
    registered: Collection[str],
    closed: Collection[str] = (),
) -> Assembly:
    """Resolve, check and put together all rows of an import.

    Args:
        tables: The tables that were recognised; their rows receive village codes and reasons.
        gazetteer: The official regions of the import's province.
        known: Aliases remembered so far, by `place_key`.
        region: Code of the import's region (dotted); rows about other places are rejected.
        registered: Codes of the villages below `region` that have a registered, active Kampung KB already.
        closed: Codes of those whose only Kampung KB a person has made inactive: an import does not bring it back.
    """
    rows = [row for table in tables for row in table.rows]
    places = _resolve(rows, gazetteer, known)
    _put_in_place(rows, places.outcomes, region)
    _leave_unused_kinds(rows)
    _compare_repeated(rows)
    _leave_closed(rows, set(closed).difference(registered))
    announcements = [found for table in tables for found in _announcements(table)]
    having = {found.code for found in announcements if found.kampung_kb}.union(registered)
    _leave_villages_without(rows, having)
    months = tuple(sorted({row.period for row in rows if row.period is not None and row.reason is None}))
    _leave_without_month(rows, months)
    return Assembly(
        rows=rows,
        announcements=announcements,
        said=_said(tables, months),
        months=months,
        aliases=places.aliases(rows),
        unresolved=places.unresolved(rows),
        villages_resolved=len({row.code for row in rows} - {None}),
    )


def _resolve(rows: Iterable[Row], gazetteer: Gazetteer, known: Mapping[str, KnownAlias]) -> _Places:
    distinct = {row.place for row in rows if row.place is not None}
    resolver = Resolver(gazetteer, known, distinct)
    return _Places({place: resolver.resolve(place) for place in distinct})


def _put_in_place(rows: Iterable[Row], outcomes: Mapping[WrittenPlace, Placed | Unplaced], region: str) -> None:
    inside = f"{region}."
    for row in rows:
        outcome = outcomes.get(row.place) if row.place is not None else None
        if isinstance(outcome, Unplaced):
            row.refuse(outcome.reason, outcome.detail)
        elif outcome is not None and not (outcome.code == region or outcome.code.startswith(inside)):
            row.refuse(RowReason.OUTSIDE_REGION, f"desa/kelurahan {outcome.code} di luar wilayah impor {region}")
        elif outcome is not None:
            row.code = outcome.code


def _leave_unused_kinds(rows: Iterable[Row]) -> None:
    for row in rows:
        if not row.kind.columns:
            row.refuse(RowReason.KIND_NOT_USED, f"tabel {row.kind.name} dikenal tetapi isinya belum dipakai")


def _compare_repeated(rows: Iterable[Row]) -> None:
    """A village and month twice in one kind of table: equal content counts once, different content not at all."""
    groups: dict[tuple[str, str | None, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        if row.reason is None:
            groups[row.kind.name, row.code, row.period].append(row)
    for group in groups.values():
        first = group[0]
        if len(group) == 1:
            continue
        if any(row.values != first.values for row in group):
            listed = ", ".join(f"{row.table} baris {row.number}" for row in group)
            for row in group:
                row.refuse(RowReason.CONTRADICTORY, f"desa dan bulan yang sama berisi angka berbeda: {listed}")
        else:
            for row in group[1:]:
                row.refuse(RowReason.DUPLICATE_ROW, f"sama dengan {first.table} baris {first.number}")


def _announcements(table: ReadTable) -> list[Announcement]:
    names = [column.name for column in table.columns]
    if ANNOUNCED not in names:
        return []
    counts = names.index(ANNOUNCED)
    found = []
    for row in table.rows:
        count = row.values[counts] if row.reason is None else None
        if isinstance(count, int) and row.code is not None:
            found.append(Announcement(row.code, count, _launch(names, row, count), row))
    return found


def _launch(names: Sequence[str], row: Row, count: int) -> Launch:
    """The one year column that accounts for all of the village's Kampung KB; else the year is not known."""
    years = {name: value for name, value in zip(names, row.values, strict=True) if name != ANNOUNCED and value}
    if len(years) != 1 or list(years.values()) != [count]:
        return Launch()
    (name,) = years
    return Launch(FIRST_LAUNCH_YEARS[name]) if name in FIRST_LAUNCH_YEARS else Launch(after_2019=True)


def _leave_closed(rows: Iterable[Row], closed: Collection[str]) -> None:
    for row in rows:
        if row.code in closed:
            row.refuse(RowReason.KAMPUNG_KB_INACTIVE, "Kampung KB desa/kelurahan ini dinonaktifkan; aktifkan dahulu")


def _leave_villages_without(rows: Iterable[Row], having: Collection[str]) -> None:
    for row in rows:
        if row.reason is None and row.code not in having:
            row.refuse(RowReason.NO_KAMPUNG_KB, "desa/kelurahan ini tidak memiliki Kampung KB terdaftar")


def _leave_without_month(rows: Iterable[Row], months: Sequence[str]) -> None:
    for row in rows:
        if not months and row.kind.rhythm is Rhythm.YEARLY and REPORTS_OF[row.kind.name]:
            row.refuse(RowReason.NO_MONTH, "tabel tahunan tanpa satu pun tabel bulanan: tidak ada bulan untuk laporan")


def report_keys(row: Row, months: Sequence[str]) -> list[ReportKey]:
    """The reports a used row went into: one month's, or every month's for a yearly table."""
    if row.code is None:
        return []
    periods = months if row.period is None else (row.period,)
    return [(report, row.code, period) for report in REPORTS_OF[row.kind.name] for period in periods]


def _said(tables: Sequence[ReadTable], months: Sequence[str]) -> dict[ReportKey, Said]:
    said: dict[ReportKey, Said] = defaultdict(dict)
    for table in tables:
        for report in REPORTS_OF[table.layout.kind.name]:
            picked = [
                (place, column.path, column.meaning is Meaning.EXISTS)
                for place, column in enumerate(table.columns)
                if column.report is report
            ]
            for row in table.rows:
                if row.reason is not None or row.code is None:
                    continue
                answers = {path: _answer(row.values[place], exists=exists) for place, path, exists in picked}
                for period in months if row.period is None else (row.period,):
                    said[report, row.code, period].update(answers)
    return dict(said)


def _answer(value: object, *, exists: bool) -> int | bool | None:
    """A used row's count as the facts hold it: YANG ADA 0 is "no", blank is not reported."""
    if not isinstance(value, int):
        return None
    return value > 0 if exists else value


def facts_with(earlier: Mapping[str, Any] | None, said: Said) -> dict[str, Any]:
    """Facts in their JSON shape: what the same source said earlier about that month, and over it what is said now."""
    facts: dict[str, Any] = {}
    if earlier:
        facts = {key: dict(value) if isinstance(value, dict) else value for key, value in earlier.items()}
    for path, value in said.items():
        group = facts
        for name in path[:-1]:
            group = group.setdefault(name, {})
        group[path[-1]] = value
    return facts


def status_of(row: Row, *, changed: bool) -> RowStatus:
    """What became of a row, given whether anything it went into is new or different in the registry."""
    if row.reason is None:
        return RowStatus.STORED if changed else RowStatus.UNCHANGED
    return RowStatus.SKIPPED if row.reason in SKIPPING else RowStatus.REJECTED
