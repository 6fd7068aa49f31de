"""A workbook of one sheet in Office Open XML (ECMA-376), written row by row.

A general library needs 10 us a cell: 20 seconds of processor time for the country's 84,000 villages, more than a gateway
waits for an answer. Text and numbers alone, put together here, need a tenth of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from string import ascii_uppercase
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

_PART_ROWS = 500
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_SHEETS = f"{_OFFICE}/spreadsheetml/2006/main"
_RELATIONS = f"{_OFFICE}/officeDocument/2006/relationships"
_PACKAGE = f"{_OFFICE}/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>'
    ),
}
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_SPECIAL = re.compile(r'[&<>"\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)')
_BOLD, _FIRST_NUMBER = 1, 2
_FIRST_OWN_FORMAT = 164


def write(
    file: BinaryIO,
    title: str,
    headings: Sequence[str],
    decimals: Sequence[int | None],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Write a workbook: bold headings that stay in sight, a filter on each column.

    Columns with `decimals` hold numbers (or their text), the others text; None leaves a cell empty. `title` names the
    sheet, at most 31 characters.
    """
    kinds = sorted({places for places in decimals if places is not None})
    styles = [None if places is None else _FIRST_NUMBER + kinds.index(places) for places in decimals]
    with ZipFile(file, "w", ZIP_DEFLATED) as book:
        for name, content in _PARTS.items():
            book.writestr(name, _HEAD + content)
        book.writestr("xl/styles.xml", _HEAD + _styles(kinds))
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f"{_HEAD}{_sheet_begin(headings, styles)}".encode())
            last = _write_rows(sheet, styles, rows)
            around = f"A1:{_letters(len(headings) - 1)}{last}"
            sheet.write(f'</sheetData><autoFilter ref="{around}"/></worksheet>'.encode())
        book.writestr("xl/workbook.xml", _HEAD + _workbook(title, around))


def _write_rows(sheet: Any, styles: Sequence[int | None], rows: Iterable[Sequence[Any]]) -> int:
    """Write the rows below the headings; the number of the last one."""
    columns = [(_letters(place), style) for place, style in enumerate(styles)]
    last, waiting = 1, []
    for last, row in enumerate(rows, start=2):
        cells = (
            _cell(f"{letters}{last}", style, value)
            for (letters, style), value in zip(columns, row, strict=True)
            if value is not None
        )
        waiting.append(f'<row r="{last}">{"".join(cells)}</row>')
        if len(waiting) == _PART_ROWS:
            sheet.write("".join(waiting).encode())
            waiting = []
    sheet.write("".join(waiting).encode())
    return last


def _cell(place: str, style: int | None, value: Any) -> str:
    if style is None:
        return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{_text(str(value))}</t></is></c>'
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def _text(text: str) -> str:
    """Text between tags. What XML cannot hold is written as Excel does (_x0007_), and so is what would look like that."""
    return _SPECIAL.sub(lambda found: _MARKUP.get(found[0]) or f"_x{ord(found[0]):04X}_", text)


def _letters(place: int) -> str:
    """The name of a column: A ... Z, AA ..."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, len(ascii_uppercase))
        name = ascii_uppercase[rest] + name
    return name


def _sheet_begin(headings: Sequence[str], styles: Sequence[int | None]) -> str:
    widths = [
        12 if style is not None else min(40, max(16, len(text))) for text, style in zip(headings, styles, strict=True)
    ]
    columns = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
        for place, width in enumerate(widths, start=1)
    )
    cells = "".join(
        f'<c r="{_letters(place)}1" s="{_BOLD}" t="inlineStr"><is><t xml:space="preserve">{_text(heading)}</t></is></c>'
        for place, heading in enumerate(headings)
    )
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    return (
        f'<worksheet xmlns="{_SHEETS}"><sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
        f'<cols>{columns}</cols><sheetData><row r="1">{cells}</row>'
    )


def _styles(kinds: Sequence[int]) -> str:
    """Styles of cells: 0 plain, 1 bold, then one for each number of decimals."""
    formats = "".join(
        f'<numFmt numFmtId="{_FIRST_OWN_FORMAT + places}" formatCode="{_format(places)}"/>' for places in kinds
    )
    numbers = "".join(
        f'<xf numFmtId="{_FIRST_OWN_FORMAT + places}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for places in kinds
    )
    own_formats = f'<numFmts count="{len(kinds)}">{formats}</numFmts>' if kinds else ""
    return (
        f'<styleSheet xmlns="{_SHEETS}">{own_formats}'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill>'
        '<fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{_FIRST_NUMBER + len(kinds)}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1" applyAlignment="1">'
        f'<alignment vertical="top" wrapText="1"/></xf>{numbers}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _format(places: int) -> str:
    return f"0.{'0' * places}" if places else "0"


def _workbook(title: str, around: str) -> str:
    cells = re.sub(r"([A-Z]+)(\d+)", r"$\1$\2", around)
    quoted = _text(title.replace("'", "''"))
    return (
        f'<workbook xmlns="{_SHEETS}" xmlns:r="{_RELATIONS}"><bookViews><workbookView/></bookViews><sheets>'
        f'<sheet name="{_text(title)}" sheetId="1" r:id="rId1"/></sheets><definedNames>'
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">\'{quoted}\'!{cells}</definedName>'
        "</definedNames></workbook>"
    )
