"""From cells to values: each row's place, period and counts, or the reason why it cannot be used.

Counts are whole numbers from 0 to 2,147,483,647. A blank cell is "not reported", never 0. A decimal, a negative
number, text or an impossible size rejects its row; an implausible size below the limit is stored and becomes a finding.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from contracts.facts import MAX_COUNT
from services.registry.aliases.rules import PlaceReason, WrittenPlace, shown
from services.registry.imports.reasons import Refusal, RowReason
from services.registry.imports.siga.kinds import (
    KODE_COLUMN,
    MONTH_COLUMN,
    MONTHS,
    PERIOD_COLUMN,
    PLACE_COLUMNS,
    YEAR_COLUMN,
    Column,
    Rhythm,
    TableKind,
)
from services.registry.imports.siga.reading import Cells, Layout, decode, recognise
from services.registry.imports.siga.reading import rows as cell_rows

_DECIMAL: Final = re.compile(r"[+-]?\d*[.,]\d+|[+-]?\d+[.,]", re.ASCII)
_NEGATIVE: Final = re.compile(r"-\d+", re.ASCII)
_YEAR: Final = re.compile(r"(?<!\d)(20\d\d)(?!\d)", re.ASCII)


class BadCount(NamedTuple):
    """A cell that is no count: why, and the sentence about its value (Indonesian), to follow the column's name."""

    reason: RowReason
    detail: str


Value = int | BadCount | None
"""A count, not reported, or a cell that is no count."""


@dataclass(slots=True)
class Row:
    """One row of a table on its way through an import.

    `code` is the village's region code once resolved. `reason` and `detail` say why the row is rejected or left out;
    both are None for a row that is used.
    """

    table: str
    number: int
    kind: TableKind
    place: WrittenPlace | None
    period: str | None
    values: tuple[Value, ...]
    code: str | None = None
    reason: RowReason | PlaceReason | None = None
    detail: str | None = None

    def refuse(self, reason: RowReason | PlaceReason, detail: str) -> None:
        """Note why the row is not used; the first reason found stands."""
        if self.reason is None:
            self.reason, self.detail = reason, detail


@dataclass(slots=True)
class ReadTable:
    """A table that was recognised: its layout and all its rows, in order."""

    name: str
    layout: Layout
    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)


def read_table(name: str, data: bytes, year: int, latest: str = "9999-12") -> ReadTable | Refusal:
    """Read an unpacked table for an import of `year`: a result for every row, or why there is none.

    Rows about a month after `latest` ("YYYY-MM") are rejected: nothing can be reported about a month that has not begun.
    """
    text = decode(data)
    if isinstance(text, Refusal):
        return text
    layout = recognise(text)
    if isinstance(layout, Refusal):
        return layout
    columns = tuple(column for column in layout.kind.columns if column.name in layout.positions)
    table = ReadTable(name, layout, columns)
    reader = _RowReader(table, year, latest)
    table.rows = [reader.read(cells) for cells in cell_rows(text, layout)]
    return table


def count_of(cell: str) -> Value:
    """A cell as a count: whole and not negative; blank is None (not reported)."""
    text = cell.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return _sized(text)
    quoted = f'berisi "{shown(text)}"'
    if _NEGATIVE.fullmatch(text):
        return BadCount(RowReason.NEGATIVE, f"{quoted}: jumlah tidak boleh negatif")
    if _DECIMAL.fullmatch(text):
        return BadCount(RowReason.DECIMAL, f"{quoted}: jumlah harus bilangan bulat, bukan pecahan")
    return BadCount(RowReason.NOT_A_NUMBER, f"{quoted}: bukan bilangan")


def _sized(digits: str) -> Value:
    significant = digits.lstrip("0") or "0"
    if len(significant) > len(str(MAX_COUNT)) or int(significant) > MAX_COUNT:
        return BadCount(RowReason.IMPOSSIBLE_SIZE, f'berisi "{shown(digits)}": lebih besar dari {MAX_COUNT}')
    return int(significant)


class _Counts(dict[str, Value]):
    """Counts by cell text, each text read once: tables repeat few distinct numbers very often."""

    def __missing__(self, cell: str) -> Value:
        value = self[cell] = count_of(cell)
        return value


def _picker(positions: Sequence[int]) -> Callable[[list[str]], tuple[str, ...]]:
    """Picks the cells at these positions, always as a tuple."""
    if not positions:
        return lambda _: ()
    if len(positions) == 1:
        (only,) = positions
        return lambda cells: (cells[only],)
    return operator.itemgetter(*positions)


class _RowReader:
    """Reads the rows of one table; knows where its columns stand."""

    def __init__(self, table: ReadTable, year: int, latest: str) -> None:
        positions = table.layout.positions
        self._table = table
        self._year = year
        self._latest = latest
        self._width = len(table.layout.header)
        self._names = _picker([positions[name] for name in PLACE_COLUMNS])
        self._kode = positions.get(KODE_COLUMN)
        self._value_cells = _picker([positions[column.name] for column in table.columns])
        self._counts = _Counts()
        self._places: dict[tuple[str, ...], WrittenPlace] = {}
        self._periods: dict[tuple[str, ...], Period] = {}
        self._period_names = [name for name in (*table.layout.kind.period_columns, YEAR_COLUMN) if name in positions]
        self._period_cells = _picker([positions[name] for name in self._period_names])

    def read(self, cells: Cells) -> Row:
        """The row with its values, or with the reason why it has none."""
        kind, name = self._table.layout.kind, self._table.name
        if cells.unreadable or len(cells.cells) != self._width:
            row = Row(name, cells.number, kind, None, None, ())
            width = f"baris berisi {len(cells.cells)} sel, judul {self._width} kolom"
            reason = RowReason.UNREADABLE if cells.unreadable else RowReason.CELL_COUNT
            row.refuse(reason, cells.unreadable or width)
            return row
        if cells.bad_byte is not None:
            row = Row(name, cells.number, kind, None, None, ())
            row.refuse(RowReason.NOT_UTF8, f"baris bukan UTF-8: byte pada posisi {cells.bad_byte}")
            return row
        return self._whole(cells)

    def _whole(self, cells: Cells) -> Row:
        period = self._period(cells.cells)
        values = tuple(map(self._counts.__getitem__, self._value_cells(cells.cells)))
        layout = self._table.layout
        row = Row(self._table.name, cells.number, layout.kind, self._place(cells.cells), period.period, values)
        if period.reason:
            row.refuse(period.reason, period.detail)
        if BadCount in map(type, values):
            self._refuse_cells(row)
        return row

    def _refuse_cells(self, row: Row) -> None:
        bad = [
            (column, value)
            for column, value in zip(self._table.columns, row.values, strict=True)
            if isinstance(value, BadCount)
        ]
        row.refuse(bad[0][1].reason, "; ".join(f"kolom {column.name} {value.detail}" for column, value in bad))

    def _place(self, cells: list[str]) -> WrittenPlace:
        written = (*self._names(cells), "" if self._kode is None else cells[self._kode])
        place = self._places.get(written)
        if place is None:
            place = self._places[written] = WrittenPlace(*written)
        return place

    def _period(self, cells: list[str]) -> Period:
        written = self._period_cells(cells)
        period = self._periods.get(written)
        if period is None:
            named = dict(zip(self._period_names, written, strict=True))
            period = period_of(self._table.layout.kind.rhythm, named, self._year)
            period = self._periods[written] = _begun(period, self._latest)
        return period


class Period(NamedTuple):
    """The month a row is about ("YYYY-MM", None for a row about the whole year), or why it is not taken."""

    period: str | None
    reason: RowReason | None = None
    detail: str = ""


def period_of(rhythm: Rhythm, named: dict[str, str], year: int) -> Period:
    """The period of a row from its BULAN, TAHUN or PERIODE, in an import of one year."""
    if YEAR_COLUMN in named and named[YEAR_COLUMN].strip() not in {"", str(year)}:
        return _outside(f'TAHUN "{shown(named[YEAR_COLUMN])}"', year)
    if rhythm is Rhythm.MONTHLY:
        return _month(named[MONTH_COLUMN], year)
    if rhythm is Rhythm.PERIODIC:
        return _span(named[PERIOD_COLUMN], year)
    return Period(None)


def _month(cell: str, year: int) -> Period:
    name = cell.strip().upper()
    if not name:
        return Period(None, RowReason.MONTH_MISSING, "kolom BULAN kosong")
    month = MONTHS.get(name)
    if month is None:
        return Period(None, RowReason.MONTH_UNKNOWN, f'kolom BULAN berisi "{shown(cell)}": bukan nama bulan')
    return Period(f"{year}-{month:02d}")


def _begun(period: Period, latest: str) -> Period:
    if period.period is None or period.period <= latest:
        return period
    return Period(None, RowReason.FUTURE_MONTH, f"bulan {period.period} belum dimulai")


def _span(cell: str, year: int) -> Period:
    years = set(_YEAR.findall(cell))
    if len(years) != 1:
        return Period(None, RowReason.PERIOD_UNKNOWN, f'kolom PERIODE berisi "{shown(cell)}": tahun tidak jelas')
    if years != {str(year)}:
        return _outside(f'PERIODE "{shown(cell)}"', year)
    return Period(None)


def _outside(written: str, year: int) -> Period:
    return Period(None, RowReason.OUTSIDE_YEAR, f"{written} di luar tahun impor {year}")


def totals(tables: Sequence[ReadTable]) -> dict[str, dict[str, int]]:
    """Sum of every count column by month over all rows read, used or not: the control totals of the source.

    Returns month ("YYYY-MM") → "report.field" → sum. Cells that are blank or no counts add nothing.
    """
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for table in tables:
        names = [f"{column.report}.{'.'.join(column.path)}" for column in table.columns]
        for row in table.rows:
            if row.period:
                for name, value in zip(names, row.values, strict=False):
                    if type(value) is int:
                        sums[row.period, name] += value
    by_month: dict[str, dict[str, int]] = defaultdict(dict)
    for (period, name), total in sorted(sums.items()):
        by_month[period][name] = total
    return dict(by_month)
