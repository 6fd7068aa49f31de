"""Tables that offices open, as CSV and XLSX: rows are spooled to a file first, so memory and transactions stay small."""

from __future__ import annotations

import asyncio
import csv
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import TextIOWrapper
from typing import Any, BinaryIO, ClassVar

import orjson
import xlsxwriter
from fastapi import Response
from starlette.types import Receive, Scope, Send

from kit import xlsx
from kit.turns import Turns

Cell = str | int | Decimal | None
"""Text, a number, a number as decimal string, or nothing known."""

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_PART_BYTES = 64 * 1024
_WRITERS = 2
_WIDEST = 40
_TURNS = Turns(_WRITERS, "tables")
"""Writing a large table keeps a processor busy."""


@dataclass(frozen=True)
class Column:
    """A column: text, or numbers with so many decimals."""

    heading: str
    decimals: int | None = None


@dataclass(frozen=True)
class Sheet:
    """What a table is called (file name without ending; title of at most 31 characters) and its columns."""

    file_name: str
    title: str
    columns: Sequence[Column]


class Spool:
    """Rows kept in a temporary file that nobody else sees and that goes with the process. Whoever makes one closes it."""

    def __init__(self) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives the block, `close` ends it

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Append rows."""
        self._file.write(b"".join(orjson.dumps(list(row), default=str) + b"\n" for row in rows))

    def rows(self) -> Iterator[list[Any]]:
        """All rows from the first one on, decimals as text."""
        self._file.seek(0)
        return map(orjson.loads, self._file)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


async def spooled(pages: AsyncIterator[Iterable[Sequence[Cell]]]) -> Spool:
    """Spool rows page by page; the first of them is written before the last one is read."""
    spool = Spool()
    try:
        async for page in pages:
            spool.add(page)
    except BaseException:
        spool.close()
        raise
    return spool


def write_csv(file: BinaryIO, sheet: Sheet, rows: Iterable[Sequence[Any]]) -> None:
    """A table as Excel with Indonesian settings opens it: UTF-8 with BOM, semicolons, decimal commas, CRLF.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([_plain(column.heading) for column in sheet.columns])
    of_numbers = [column.decimals is not None for column in sheet.columns]
    writer.writerows(
        [_number(cell) if is_number else _plain(cell) for cell, is_number in zip(row, of_numbers, strict=True)]
        for row in rows
    )
    text.flush()
    text.detach()


def _plain(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text


def _number(cell: Any) -> str:
    return "" if cell is None else str(cell).replace(".", ",")


def write_xlsx(file: BinaryIO, sheet: Sheet, rows: Iterable[Sequence[Any]]) -> None:
    """A table as a workbook of one sheet: headings in the first row, which stays in sight, and a filter on each."""
    headings = [column.heading for column in sheet.columns]
    xlsx.write(file, sheet.title, headings, [column.decimals for column in sheet.columns], rows)


def workbook(file: BinaryIO, title: str) -> Any:
    """A new workbook for more than a plain table, written and closed at the end of the block.

    Memory does not grow with its rows, but each costs five times the time of one by `write_xlsx`: some thousand are fine.
    """
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    book.set_properties({"title": title})
    return book


def add_page(book: Any, sheet: Sheet, rows: Iterable[Sequence[Any]]) -> Any:
    """Add a table to a workbook as a page of its own, and answer the page."""
    page = book.add_worksheet(sheet.title[:31])
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    forms = [_number_format(book, column) for column in sheet.columns]
    for place, (column, form) in enumerate(zip(sheet.columns, forms, strict=True)):
        width = 12 if column.decimals is not None else min(_WIDEST, max(16, len(column.heading)))
        page.set_column(place, place, width, form)
        page.write_string(0, place, column.heading, bold)
    page.freeze_panes(1, 0)
    last = 0
    for last, row in enumerate(rows, start=1):
        _write_row(page, last, row, forms)
    page.autofilter(0, 0, last, len(sheet.columns) - 1)
    return page


def _number_format(book: Any, column: Column) -> Any:
    if column.decimals is None:
        return None
    return book.add_format({"num_format": f"0.{'0' * column.decimals}" if column.decimals else "0"})


def _write_row(page: Any, number: int, row: Sequence[Any], forms: Sequence[Any]) -> None:
    for place, (cell, form) in enumerate(zip(row, forms, strict=True)):
        if cell is None:
            continue
        if form is None:
            page.write_string(number, place, str(cell))
        else:
            page.write_number(number, place, float(cell), form)


class _Table(Response, ABC):
    """A spooled table as a file to download; closes the spool."""

    ending: ClassVar[str]

    def __init__(self, sheet: Sheet, spool: Spool, status_code: int = 200) -> None:
        disposition = f'attachment; filename="{sheet.file_name}.{self.ending}"'
        super().__init__(
            status_code=status_code, headers={"Content-Disposition": disposition}, media_type=self.media_type
        )
        self._sheet = sheet
        self._spool = spool

    @abstractmethod
    def write(self, file: BinaryIO) -> None:
        """Write the table's bytes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Write the file, then send it part by part.

        Raises:
            Unavailable: too many others are being written, or this one takes too long; nothing was sent yet.
        """
        with tempfile.TemporaryFile() as file:
            try:
                async with _TURNS.turn():
                    await asyncio.to_thread(self.write, file)
            finally:
                self._spool.close()
            headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
            headers.append((b"content-length", b"%d" % file.tell()))
            file.seek(0)
            await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
            while part := file.read(_PART_BYTES):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class CsvTable(_Table):
    """A table as CSV; see `write_csv`."""

    media_type = "text/csv"
    ending = "csv"

    def write(self, file: BinaryIO) -> None:
        write_csv(file, self._sheet, self._spool.rows())


class XlsxTable(_Table):
    """A table as XLSX; see `write_xlsx`."""

    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ending = "xlsx"

    def write(self, file: BinaryIO) -> None:
        write_xlsx(file, self._sheet, self._spool.rows())
