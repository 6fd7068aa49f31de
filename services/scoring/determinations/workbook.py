"""A determination as a workbook: what it is, what it adds up to, and its list, village by village."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from kit.spreadsheets import Cell, Column, Sheet, Spool, XlsxTable, add_page, workbook
from services.scoring.determinations.printout import CERTAINTY, Entry, class_name, day, moment, month
from services.scoring.determinations.schemas import DeterminationOut

_WIDE = (34, 90)
_MARK, _REPLACED = "DATA SIMULASI", "SUDAH DIGANTI"
_A4 = 9


class DeterminationWorkbook(XlsxTable):
    """A determination's list as XLSX, with a first page that says what it is; closes the spool."""

    def __init__(self, found: DeterminationOut, entries: Sequence[Entry]) -> None:
        spool = Spool()
        spool.add(_row(found, entry) for entry in entries)
        super().__init__(_sheet(found), spool)
        self._found = found

    def write(self, file: BinaryIO) -> None:
        with workbook(file, f"Penetapan {self._found.header.region_name}") as book:
            _add_cover(book, self._found)
            page = add_page(book, self._sheet, self._spool.rows())
            page.set_landscape()
            page.set_paper(_A4)
            page.fit_to_pages(1, 0)
            page.repeat_rows(0)
            if self._found.header.simulated:
                page.set_header(f'&C&"Arial,Bold"&12{_MARK}')
            page.set_footer("&RHalaman &P dari &N")


def _sheet(found: DeterminationOut) -> Sheet:
    header = found.header
    rules = header.ruleset
    columns = [
        *(Column(name) for name in ("Provinsi", "Kabupaten/kota", "Kecamatan", "Kode", "Desa/kelurahan", "Kampung KB")),
        Column("Kelas"),
        *(Column(f"Indeks {one.labels.id}", 2) for one in rules.dimensions),
        *(Column(one.labels.id, 0) for one in rules.indicators),
        *(Column("Isian terjawab", 0), Column("Isian ditanyakan", 0), Column("Tanpa laporan"), Column("Data simulasi")),
    ]
    simulated = "-simulasi" if header.simulated else ""
    name = f"penetapan-{header.region_code}-{header.period}{simulated}"
    return Sheet(name, "Daftar", (Column("No.", 0), *columns))


def _row(found: DeterminationOut, entry: Entry) -> list[Cell]:
    rules, names = found.header.ruleset, entry["region_names"]
    labels = {one.code: class_name(one) for one in rules.classes}
    return [
        entry["number"],
        names["province"],
        names["regency"],
        names["district"],
        entry["region_code"],
        names["village"],
        entry["name"],
        "Tidak dapat dinilai" if entry["class"] is None else labels[entry["class"]],
        *(entry["indexes"][one.code] for one in rules.dimensions),
        *(entry["scores"][one.code] for one in rules.indicators),
        entry["answered"],
        rules.asked,
        "ya" if entry["without_reports"] else "tidak",
        "ya" if entry["simulated"] else "tidak",
    ]


def _add_cover(book: Any, found: DeterminationOut) -> None:
    page = book.add_worksheet("Penetapan")
    bold = book.add_format({"bold": True, "valign": "top"})
    warning = book.add_format({"bold": True, "font_color": "#B3001B", "font_size": 14})
    plain = book.add_format({"text_wrap": True, "valign": "top", "align": "left"})
    for place, width in enumerate(_WIDE):
        page.set_column(place, place, width)
    for place, (term, value) in enumerate(_cover(found)):
        page.write_string(place, 0, term, warning if term in {_MARK, _REPLACED} else bold)
        if isinstance(value, int):
            page.write_number(place, 1, value, plain)
        else:
            page.write_string(place, 1, value, plain)


def _cover(found: DeterminationOut) -> Iterator[tuple[str, str | int]]:
    header, counts = found.header, found.header.counts
    rules = header.ruleset
    if header.simulated:
        yield _MARK, f"{counts.simulated} dari {counts.villages} Kampung KB memakai data buatan; bukan penetapan resmi"
    if found.replaced_by is not None:
        yield _REPLACED, f"oleh penetapan {found.replaced_by}"
    yield "Penetapan klasifikasi Kampung KB", f"{header.region_name} ({header.region_code})"
    yield "Periode", month(header.period)
    yield "Nomor keputusan", header.decree.number
    yield "Tanggal keputusan", day(header.decree.date)
    yield "Aturan", f"{rules.labels.id} ({rules.id}, versi {rules.version})"
    yield "Dasar aturan", f"{rules.legal_basis.id}. {CERTAINTY.get(rules.certainty, rules.certainty)}"
    yield "Sidik aturan", rules.digest
    for one in reversed(rules.classes):
        yield class_name(one), counts.classes[one.code]
    yield "Tidak dapat dinilai", counts.not_assessable
    yield "Jumlah Kampung KB", counts.villages
    yield "Tanpa laporan", counts.without_reports
    yield "Tidak aktif, tidak termasuk", counts.inactive
    if header.replaces is not None:
        yield "Menggantikan penetapan", str(header.replaces)
    if header.note is not None:
        yield "Catatan", header.note
    yield "Dicatat di sistem", f"{moment(header.issued_at)} oleh {header.issued_by}"
    yield "Nomor penetapan", str(header.id)
    yield "Sidik penetapan (SHA-256)", found.digest
