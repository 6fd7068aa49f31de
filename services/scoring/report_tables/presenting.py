"""Turns counts into report tables, and these into sheets. Headings after the predecessor's statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.regions import RegionLevel
from kit.spreadsheets import Cell, Column, Sheet
from services.scoring.assessments.rules import percent
from services.scoring.assessments.schemas import Texts, texts
from services.scoring.class_counts.schemas import Share
from services.scoring.class_counts.store import Counted
from services.scoring.facts.readiness import READINESS
from services.scoring.report_tables.schemas import ReportTable, TableColumn, TableRow
from services.scoring.report_tables.store import Ready
from services.scoring.rulesets.engine import Engine

_YES, _NO, _BLANK = "yes", "no", "not_reported"
_ANSWERS = {
    _YES: Texts(id="Ada", en="yes"),
    _NO: Texts(id="Tidak ada", en="no"),
    _BLANK: Texts(id="Belum isi", en="not reported"),
}
_NOT_ASSESSABLE = "not_assessable"
NOT_ASSESSABLE = Texts(id="Tidak dapat dinilai", en="Not assessable")
CLASSES = Texts(id="Klasifikasi Kampung KB", en="Classes of the Kampung KB")
READY = Texts(id="Kesiapan Kampung KB", en="Readiness of the Kampung KB")


@dataclass(frozen=True)
class Place:
    """A region, its parts' level, and the names of both."""

    region: str | None
    by: RegionLevel
    names: Mapping[str, str]

    def row(self, code: str | None, total: int, simulated: int, counts: Mapping[str, int]) -> TableRow:
        """A row of the table."""
        return TableRow(
            region_code=code,
            region_name=None if code is None else self.names.get(code),
            total=total,
            cells={name: Share(count=count, percent=percent(count, total)) for name, count in counts.items()},
            simulated=simulated,
        )


def classes_table(engine: Engine, place: Place, found: Sequence[Counted], period: str | None) -> ReportTable:
    """How many villages are in each class and in none, now or at the end of a month; those not yet told of are left out."""
    counted = [one for one in found if one.told]
    labels: dict[str | None, Texts] = {one.code.value: texts(one.labels) for one in engine.ruleset.classes}
    labels[None] = NOT_ASSESSABLE
    codes = {kind: kind or _NOT_ASSESSABLE for kind in labels}
    parts: dict[str, list[Counted]] = {}
    for one in counted:
        parts.setdefault(one.code, []).append(one)

    def row(code: str | None, found: Iterable[Counted]) -> TableRow:
        own = list(found)
        by_class = {code: sum(one.villages for one in own if one.village_class == kind) for kind, code in codes.items()}
        return place.row(code, sum(one.villages for one in own), sum(one.simulated for one in own), by_class)

    return ReportTable(
        title=CLASSES,
        ruleset=engine.ruleset.id if period is None else None,
        period=period,
        by=place.by,
        columns=[TableColumn(code=codes[kind], labels=label) for kind, label in labels.items()],
        total=row(place.region, counted),
        items=[row(code, part) for code, part in parts.items()],
    )


def readiness_table(place: Place, found: Sequence[Ready]) -> ReportTable:
    """How many villages answered each question with yes, with no, and not at all."""
    return ReportTable(
        title=READY,
        ruleset=None,
        period=None,
        by=place.by,
        columns=[
            TableColumn(code=f"{item.code}.{answer}", labels=_labels(item.label_id, item.label_en, said))
            for item in READINESS
            for answer, said in _ANSWERS.items()
        ],
        total=_ready_row(place, place.region, found),
        items=[_ready_row(place, one.code, [one]) for one in found],
    )


def _labels(label_id: str, label_en: str, said: Texts) -> Texts:
    return Texts(id=f"{label_id}: {said.id}", en=f"{label_en}: {said.en}")


def _ready_row(place: Place, code: str | None, found: Sequence[Ready]) -> TableRow:
    total = sum(one.villages for one in found)
    counts: dict[str, int] = {}
    for item in READINESS:
        yes, no = sum(one.yes[item.code] for one in found), sum(one.no[item.code] for one in found)
        counts |= {f"{item.code}.{_YES}": yes, f"{item.code}.{_NO}": no, f"{item.code}.{_BLANK}": total - yes - no}
    return place.row(code, total, sum(one.simulated for one in found), counts)


def sheet_of(table: ReportTable, name: str, today: date) -> Sheet:
    """The table's columns for offices: each count with its share."""
    pairs = [(Column(one.labels.id, 0), Column(f"{one.labels.id} (%)", 1)) for one in table.columns]
    return Sheet(
        file_name="-".join(filter(None, (name, table.total.region_code, table.by.value, table.period or f"{today}"))),
        title=table.title.id,
        columns=(
            Column("Kode wilayah"),
            Column("Wilayah"),
            *(column for pair in pairs for column in pair),
            Column("Jumlah Kampung KB", 0),
            Column("Memakai data simulasi", 0),
        ),
    )


def rows_of(table: ReportTable) -> list[list[Cell]]:
    """The rows, and the total as the last one."""
    shares = [[row.cells[one.code] for one in table.columns] for row in (*table.items, table.total)]
    places: list[tuple[Cell, Cell]] = [(row.region_code, row.region_name) for row in table.items]
    return [
        [*place, *(number for share in cells for number in (share.count, share.percent)), row.total, row.simulated]
        for place, cells, row in zip([*places, (None, "Jumlah")], shares, (*table.items, table.total), strict=True)
    ]
