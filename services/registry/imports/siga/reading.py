"""From bytes to cells: unpack, decode, recognise. A table that cannot be read is refused with a reason, not an error.

Accepted: gzip or plain; UTF-8 with or without byte order mark; comma or semicolon; any case; an index column without
name or called NO; cells broken over two lines. A byte that is not UTF-8 costs its row, not the table.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from services.registry.aliases.rules import shown
from services.registry.imports.reasons import Refusal, TableProblem
from services.registry.imports.siga.kinds import ALL_COLUMNS, KINDS, KODE_COLUMN, YEAR_COLUMN, TableKind

if TYPE_CHECKING:
    from _csv import Reader as _Reader

DELIMITERS: Final = (",", ";")
NAMELESS: Final = "(tanpa nama)"
_MOST_UNREADABLE: Final = 100
_MOST_LINES_IN_A_ROW: Final = 30
_GZIP: Final = b"\x1f\x8b"
_FOREIGN_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_SPACE: Final = re.compile(r"\s+")


class Layout(NamedTuple):
    """What a table's header says: its kind, where each column stands, what is not used."""

    kind: TableKind
    delimiter: str
    header: tuple[str, ...]
    positions: dict[str, int]
    not_used: tuple[str, ...]


class Text(NamedTuple):
    """A decoded table. `bad_bytes` are the offsets of bytes that are not UTF-8, in the unpacked file, in order."""

    content: str
    bad_bytes: tuple[int, ...]


class Cells(NamedTuple):
    """One row as it stands: number as a spreadsheet counts (the header is row 1), cells, first bad byte if any."""

    number: int
    cells: list[str]
    bad_byte: int | None = None
    unreadable: str | None = None  # why the line cannot be read as CSV


def unpack(data: bytes, limit: int) -> bytes | Refusal:
    """The plain bytes of a gzip or plain file of at most `limit` bytes; members of one gzip file are joined."""
    if not data.startswith(_GZIP):
        return data if len(data) <= limit else _too_large(limit)
    parts: list[bytes] = []
    room = limit
    rest = data
    while rest:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            parts.append(unpacker.decompress(rest, room + 1))
        except zlib.error:
            return Refusal(TableProblem.BAD_GZIP, "berkas gzip rusak dan tidak dapat dibuka")
        room -= len(parts[-1])
        if room < 0:
            return _too_large(limit)
        if not unpacker.eof:
            return Refusal(TableProblem.BAD_GZIP, "berkas gzip terpotong")
        rest = unpacker.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _too_large(limit: int) -> Refusal:
    return Refusal(TableProblem.TOO_LARGE, f"tabel lebih besar dari batas {limit} byte")


def decode(data: bytes) -> Text | Refusal:
    """Text of a table; bytes that are not UTF-8 are kept as escapes, so that only their rows are rejected."""
    if not data.strip():
        return Refusal(TableProblem.EMPTY, "berkas kosong")
    if data.startswith(_FOREIGN_MARKS):
        return Refusal(TableProblem.NOT_UTF8, "berkas bukan UTF-8 melainkan UTF-16, sejak byte 0; simpan sebagai UTF-8")
    nul = data.find(b"\0")
    if nul >= 0:
        return Refusal(TableProblem.NOT_CSV, f"berkas bukan teks CSV: ada byte NUL pada posisi {nul}")
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    content = data[start:].decode("utf-8", errors="surrogateescape")
    bad = tuple(_bad_bytes(data)) if _ESCAPED.search(content) else ()
    return Text(content, bad)


def _bad_bytes(data: bytes) -> Iterator[int]:
    """Offsets of every byte that is not UTF-8."""
    view, position = memoryview(data), 0
    while True:
        try:
            codecs.utf_8_decode(view[position:], "strict", True)
        except UnicodeDecodeError as error:
            yield from range(position + error.start, position + error.end)
            position += error.end
        else:
            return


def column_name(cell: str) -> str:
    """A header cell as a column name: upper case, one space, no line breaks."""
    return _SPACE.sub(" ", cell).strip().upper()


def recognise(text: Text) -> Layout | Refusal:
    """Which table is this, by its columns? Refuses what fits none or several, and names the missing columns."""
    headers = {delimiter: _header(text.content, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: len(ALL_COLUMNS.intersection(headers[each])))
    header = headers[delimiter]
    spoilt = next((cell for cell in header if _ESCAPED.search(cell)), None)
    if spoilt is not None:
        detail = f"baris judul bukan UTF-8: byte pada posisi {text.bad_bytes[0]}"
        return Refusal(TableProblem.NOT_UTF8, detail)
    present = set(header)
    fitting = [kind for kind in KINDS if present.issuperset(kind.needed)]
    if len(fitting) > 1:
        detail = f"kolom cocok dengan beberapa tabel: {', '.join(kind.name for kind in fitting)}"
        return Refusal(TableProblem.AMBIGUOUS_TABLE, detail)
    if not fitting:
        return _unfitting(present)
    return _layout(fitting[0], delimiter, header)


def _header(content: str, delimiter: str) -> tuple[str, ...]:
    """The first row's cells as column names; a first row that is no CSV has none."""
    _, cells, _ = _record(csv.reader(_lines(content), delimiter=delimiter, strict=True))
    return tuple(column_name(cell) for cell in cells)


def _lines(content: str) -> Iterator[str]:
    """Physical lines with their ends. Only CR and LF end a line: a cell may hold any other separator."""
    start = 0
    while start < len(content):
        end = content.find("\n", start) + 1 or len(content)
        yield content[start:end]
        start = end


def _unfitting(present: set[str]) -> Refusal:
    """Name the columns that are missing from the kinds this table comes closest to, if it comes close to any."""
    own = {kind: present.intersection({column.name for column in kind.columns} | set(kind.marks)) for kind in KINDS}
    missing = {kind: tuple(name for name in kind.needed if name not in present) for kind in KINDS if own[kind]}
    if not missing:
        detail = "bukan tabel SIGA yang dikenal: tidak ada kolom yang membedakannya"
        return Refusal(TableProblem.UNKNOWN_TABLE, detail)
    fewest = min(len(names) for names in missing.values())
    nearest = {kind: names for kind, names in missing.items() if len(names) == fewest}
    listed = "; ".join(f"untuk {kind.name}: {', '.join(names)}" for kind, names in nearest.items())
    columns = tuple(dict.fromkeys(name for names in nearest.values() for name in names))
    return Refusal(TableProblem.COLUMN_MISSING, f"kolom tidak ada ({listed})", columns)


def _layout(kind: TableKind, delimiter: str, header: tuple[str, ...]) -> Layout | Refusal:
    used = {*kind.needed, KODE_COLUMN, YEAR_COLUMN, *(column.name for column in kind.columns)} - set(kind.marks)
    double = sorted(name for name, count in Counter(header).items() if count > 1 and name in used)
    if double:
        detail = f"kolom tertulis lebih dari sekali: {', '.join(double)}"
        return Refusal(TableProblem.COLUMN_DOUBLE, detail)
    positions = {name: place for place, name in enumerate(header) if name in used}
    not_used = tuple(shown(name) or NAMELESS for name in header if name not in used)
    return Layout(kind, delimiter, header, positions, not_used)


def rows(text: Text, layout: Layout) -> Iterator[Cells]:
    """All rows after the header. Lines without any character are no rows; everything else comes out.

    Where quotation marks do not match, the physical line is one unreadable row and reading goes on at the next line:
    an unclosed quote must not swallow the rows that follow. After 100 such lines the rest is one unreadable row.
    """
    lines = list(_lines(text.content))
    bad_bytes = _Escapes(text.bad_bytes)
    number = unreadable = done = 0
    reader = _reader(lines, done, layout.delimiter)
    while done < len(lines):
        number += 1
        read, cells, trouble = _record(reader)
        if trouble:
            unreadable += 1
            given_up = unreadable > _MOST_UNREADABLE
            reach = "sisa berkas sejak baris teks" if given_up else "baris teks"
            yield Cells(number, [], None, f"{reach} {done + 1} tidak terbaca sebagai CSV ({trouble})")
            if given_up:
                return
            bad_bytes.first_in([lines[done]])
            done += 1
            reader = _reader(lines, done, layout.delimiter)
            continue
        done += read
        if cells and number > 1:
            yield Cells(number, cells, bad_bytes.first_in(cells) if text.bad_bytes else None)


def _reader(lines: list[str], start: int, delimiter: str) -> _Reader:
    return csv.reader(itertools.islice(lines, start, None), delimiter=delimiter, strict=True)


def _record(reader: _Reader) -> tuple[int, list[str], str | None]:
    """One record: how many physical lines it took, its cells, or why it cannot be read."""
    before = reader.line_num
    try:
        cells = next(reader, [])
    except csv.Error as error:
        return 1, [], str(error)
    took = reader.line_num - before
    if took > _MOST_LINES_IN_A_ROW:
        return 1, [], f"satu baris data memakan {took} baris teks; tanda kutip tidak ditutup"
    return took, cells, None


class _Escapes:
    """Offsets of bytes that are not UTF-8, handed out in the order in which the rows hold them."""

    def __init__(self, offsets: tuple[int, ...]) -> None:
        self._offsets = offsets
        self._used = 0

    def first_in(self, cells: list[str]) -> int | None:
        """Offset of the first bad byte of these cells, which come right after those asked for before."""
        count = sum(len(_ESCAPED.findall(cell)) for cell in cells)
        first = self._offsets[self._used] if count else None
        self._used += count
        return first
