"""A determination as a document to print: one HTML page of A4 sheets, in Indonesian, that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any

from contracts.regions import RegionLevel, level_of
from services.scoring.determinations.rules import last_day
from services.scoring.determinations.schemas import DeterminationHeader, DeterminationOut, NamedClass

Entry = Mapping[str, Any]

_WIB = timezone(timedelta(hours=7), "WIB")
_MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
CERTAINTY = {
    "legal_text_sighted": "Naskah hukumnya sudah dilihat.",
    "as_implemented": "Belum pasti: sebagaimana diterapkan aplikasi terdahulu; naskah hukumnya belum dilihat.",
    "proposal": "Usulan: tidak ada naskah hukum yang menetapkannya.",
}
_NOT_ASSESSABLE = "Tidak dapat dinilai"
_PARTS = {RegionLevel.PROVINCE: ("Kabupaten/kota", "regency", 5)}
_DISTRICTS = ("Kecamatan", "district", 8)
"""What a region's recapitulation is by: heading, name and characters of the code."""
_LONGEST_IN_MARGIN = 60
_STYLE = files(__package__).joinpath("printout.css").read_text(encoding="utf-8")


def printout(found: DeterminationOut, entries: Sequence[Entry]) -> str:
    """The whole document."""
    return "".join(_document(found, entries))


def _document(found: DeterminationOut, entries: Sequence[Entry]) -> Iterator[str]:
    header = found.header
    title = f"Penetapan klasifikasi Kampung KB {header.region_name} {month(header.period)}"
    yield '<!doctype html>\n<html lang="id">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{escape(title)}</title>\n<style>\n{_STYLE}{_page_style(found)}</style>\n</head>\n<body>\n"
    if header.simulated:
        yield '<div class="watermark" aria-hidden="true"><span>DATA SIMULASI</span></div>\n'
    yield from _head(found)
    yield from _by_class(header)
    yield from _by_part(header, entries)
    yield from _lists(header, entries)
    yield from _end(found)
    yield "</body>\n</html>\n"


def _page_style(found: DeterminationOut) -> str:
    """Margins of every sheet: what it belongs to, its number of how many, and the mark of made-up data."""
    header = found.header
    left = css_text(_shortened(f"{header.region_name} ({header.region_code}), {month(header.period)}"))
    right = css_text(_shortened(f"Nomor {header.decree.number}"))
    mark = css_text("DATA SIMULASI") if header.simulated else "none"
    return (
        "@page { size: A4; margin: 21mm 15mm 19mm 18mm;\n"
        "  font: 8pt Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif; color: #333;\n"
        f"  @top-left {{ content: {left}; }}\n"
        f"  @top-center {{ content: {mark}; color: #b3001b; font-weight: bold; font-size: 10pt; letter-spacing: 1pt; }}\n"
        f"  @top-right {{ content: {right}; }}\n"
        f"  @bottom-left {{ content: {css_text(f'Sidik {found.digest[:16]}…')}; }}\n"
        '  @bottom-right { content: "Halaman " counter(page) " dari " counter(pages); }\n'
        "}\n"
        "@page :first { @top-left { content: none; } @top-right { content: none; } }\n"
    )


def _head(found: DeterminationOut) -> Iterator[str]:
    header = found.header
    yield f'<header>\n<p class="kop">{escape(header.region_name)}</p><hr>\n'
    yield "<h1>Daftar Penetapan Klasifikasi<br>Kampung Keluarga Berkualitas</h1>\n"
    yield f'<p class="period">Periode {escape(month(header.period))}</p>\n</header>\n'
    if header.simulated:
        counts = header.counts
        yield '<div class="notice"><b>DATA SIMULASI</b>'
        yield f"{number(counts.simulated)} dari {number(counts.villages)} Kampung KB memakai data buatan untuk peragaan. "
        yield "Dokumen ini bukan penetapan resmi.</div>\n"
    if found.replaced_by is not None:
        yield '<div class="notice"><b>SUDAH DIGANTI</b>Penetapan yang berlaku adalah penggantinya, '
        yield f'<span class="code">{found.replaced_by}</span>.</div>\n'
    yield "<dl>\n"
    for term, text, kind in _terms(header):
        yield f"<dt>{term}</dt><dd{kind}>{text}</dd>\n"
    yield "</dl>\n"


def _terms(header: DeterminationHeader) -> Iterator[tuple[str, str, str]]:
    """Terms with their HTML and attributes."""
    rules = header.ruleset
    yield "Nomor keputusan", escape(header.decree.number), ""
    yield "Tanggal keputusan", day(header.decree.date), ""
    yield "Wilayah", f"{escape(header.region_name)} (kode {header.region_code})", ""
    yield "Periode", f"{month(header.period)}; laporan dan intervensi sampai {day(last_day(header.period))}", ""
    yield "Aturan", f"{escape(rules.labels.id)} ({escape(rules.id)}, versi {rules.version})", ""
    yield "Dasar aturan", escape(rules.legal_basis.id), ""
    yield "Kepastian dasar", escape(CERTAINTY.get(rules.certainty, rules.certainty)), ""
    yield "Sidik aturan", rules.digest, ' class="code"'
    if header.replaces is not None:
        yield "Menggantikan", str(header.replaces), ' class="code"'
    if header.note is not None:
        yield "Catatan", escape(header.note), ' class="prose"'
    yield "Dicatat di sistem", moment(header.issued_at), ""
    yield "Dicatat oleh", escape(header.issued_by), ' class="code"'
    yield "Nomor penetapan", str(header.id), ' class="code"'


def _classes(header: DeterminationHeader) -> list[tuple[str | None, str, int]]:
    """Code, label and number of villages of each class, highest first; those without class only where there are any."""
    counts = header.counts
    rows: list[tuple[str | None, str, int]] = [
        (one.code.value, class_name(one), counts.classes[one.code]) for one in reversed(header.ruleset.classes)
    ]
    return [*rows, (None, _NOT_ASSESSABLE, counts.not_assessable)] if counts.not_assessable else rows


def _by_class(header: DeterminationHeader) -> Iterator[str]:
    counts = header.counts
    yield "<h2>1. Jumlah menurut kelas</h2>\n<table>\n<thead><tr><th>Kelas</th>"
    yield '<th class="number">Kampung KB</th><th class="number">Persen</th></tr></thead>\n<tbody>\n'
    for _, label, count in _classes(header):
        yield f'<tr><td>{escape(label)}</td><td class="number">{number(count)}</td>'
        yield f'<td class="number">{percent(count, counts.villages)}</td></tr>\n'
    yield f'<tr class="total"><td>Jumlah</td><td class="number">{number(counts.villages)}</td>'
    yield f'<td class="number">{percent(counts.villages, counts.villages)}</td></tr>\n</tbody>\n</table>\n'


def _by_part(header: DeterminationHeader, entries: Sequence[Entry]) -> Iterator[str]:
    what, level, width = _PARTS.get(level_of(header.region_code), _DISTRICTS)
    classes = _classes(header)
    yield f'<section class="together">\n<h2>2. Jumlah menurut {what.lower()}</h2>\n'
    yield f'<table class="parts">\n<thead><tr><th class="number">No.</th><th>Kode</th><th>{what}</th>'
    for heading in [*(label for _, label, _ in classes), "Jumlah", "Tanpa laporan"]:
        yield f'<th class="number">{escape(heading)}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for place, (code, part) in enumerate(_grouped(entries, width), start=1):
        yield f'<tr><td class="number">{place}</td><td class="region">{code}</td>'
        yield f"<td>{escape(part[0]['region_names'][level])}</td>{_counted(part, classes)}</tr>\n"
    yield f'<tr class="total"><td></td><td></td><td>Jumlah</td>{_counted(entries, classes)}</tr>\n</tbody>\n</table>\n</section>\n'


def _counted(part: Sequence[Entry], classes: Sequence[tuple[str | None, str, int]]) -> str:
    counts = [sum(entry["class"] == code for entry in part) for code, _, _ in classes]
    counts += [len(part), sum(entry["without_reports"] for entry in part)]
    return "".join(f'<td class="number">{number(count)}</td>' for count in counts)


def _grouped(entries: Sequence[Entry], width: int) -> list[tuple[str, list[Entry]]]:
    """Entries by the first characters of their code; they come in the order of their codes."""
    return [(code, list(part)) for code, part in groupby(entries, lambda entry: str(entry["region_code"])[:width])]


def _lists(header: DeterminationHeader, entries: Sequence[Entry]) -> Iterator[str]:
    yield "<h2>3. Daftar Kampung KB</h2>\n"
    for place, (code, label, count) in enumerate(_classes(header)):
        own = [entry for entry in entries if entry["class"] == code]
        yield f"<h3>3.{place + 1} {escape(label)}: {number(count)} Kampung KB</h3>\n"
        yield from _list(header, own) if own else ("<p>Tidak ada.</p>\n",)


def _list(header: DeterminationHeader, entries: Sequence[Entry]) -> Iterator[str]:
    dimensions = header.ruleset.dimensions
    numbers = [*(escape(one.labels.id) for one in dimensions), "Isian"]
    columns = 5 + len(numbers)
    yield '<table class="list">\n<thead><tr><th class="number">No.</th><th>Kode</th><th>Desa/kelurahan</th>'
    yield "<th>Kampung KB</th>" + "".join(f'<th class="number">{name}</th>' for name in numbers)
    yield "<th>Keterangan</th></tr></thead>\n<tbody>\n"
    place = 0
    for code, part in _grouped(entries, _DISTRICTS[2]):
        yield f'<tr class="group"><td colspan="{columns}">{_district(header, code, part)}</td></tr>\n'
        for entry in part:
            place += 1
            yield f'<tr><td class="number">{number(place)}</td><td class="region">{entry["region_code"]}</td>'
            yield f"<td>{escape(entry['region_names']['village'])}</td><td class='name'>{escape(entry['name'] or '-')}</td>"
            indexes = (entry["indexes"][one.code] for one in dimensions)
            yield "".join(f'<td class="number">{decimal(index)}</td>' for index in indexes)
            yield f'<td class="number">{entry["answered"]}/{header.ruleset.asked}</td>'
            yield f"<td>{_remark(entry)}</td></tr>\n"
    yield f'<tr class="total"><td colspan="{columns}">Jumlah: {number(len(entries))} Kampung KB</td></tr>\n'
    yield "</tbody>\n</table>\n"


def _district(header: DeterminationHeader, code: str, part: Sequence[Entry]) -> str:
    names = part[0]["region_names"]
    above = f", {names['regency']}" if level_of(header.region_code) is RegionLevel.PROVINCE else ""
    return escape(f"Kecamatan {names['district']} ({code}){above}: {number(len(part))} Kampung KB")


def _remark(entry: Entry) -> str:
    remarks = ["tanpa laporan"] if entry["without_reports"] else []
    remarks += ['<span class="mark">simulasi</span>'] if entry["simulated"] else []
    return ", ".join(remarks)


def _end(found: DeterminationOut) -> Iterator[str]:
    header = found.header
    yield '<div class="end">\n<h2>4. Catatan</h2>\n<ol class="notes">\n'
    for note in _notes(header):
        yield f"<li>{note}</li>\n"
    yield f'<li>Sidik penetapan (SHA-256): <span class="code">{found.digest}</span>. Keaslian daftar ini dapat '
    yield f'diperiksa: <span class="code">kkb determinations verify {header.id}</span>.</li>\n</ol>\n'
    yield '<div class="signature">\n<p>Ditetapkan di ............................................</p>\n'
    yield f"<p>pada tanggal {day(header.decree.date)}</p>\n"
    yield '<p>Pejabat yang menetapkan,</p>\n<p class="space"></p>\n'
    yield "<p>............................................................</p>\n</div>\n</div>\n"


def _notes(header: DeterminationHeader) -> Iterator[str]:
    counts = header.counts
    yield (
        "Daftar memuat semua Kampung KB di wilayah ini yang tercatat aktif ketika ditetapkan"
        f"{f'; {number(counts.inactive)} yang tidak aktif tidak termasuk' if counts.inactive else ''}."
    )
    yield (
        f"Tanpa laporan: tidak ada laporan apa pun sampai {day(last_day(header.period))} "
        f"({number(counts.without_reports)} Kampung KB). Belum dilaporkan tidak sama dengan tidak ada."
    )
    yield f"Isian: banyaknya isian yang dilaporkan dari {header.ruleset.asked} yang ditanyakan aturan ini."
    bounds = ", ".join(f"{escape(one.labels.id)} {decimal(one.threshold)}" for one in header.ruleset.dimensions)
    yield f"Indeks dimensi terpenuhi mulai: {bounds}."
    if counts.not_assessable:
        yield f"{_NOT_ASSESSABLE}: dari yang dilaporkan, aturan ini tidak dapat memberi kelas."


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_IN_MARGIN else f"{text[: _LONGEST_IN_MARGIN - 1]}…"


def class_name(one: NamedClass) -> str:
    """What a class is called; where the region calls it otherwise, that first."""
    return one.labels.id if one.local_labels is None else f"{one.local_labels.id} ({one.labels.id})"


def css_text(text: str) -> str:
    """Text as a CSS string that neither ends the string nor the style element: all but letters and digits escaped."""
    return '"' + "".join(one if one.isascii() and one.isalnum() else f"\\{ord(one):06x}" for one in text) + '"'


def day(value: date) -> str:
    """A day in Indonesian: 30 Juli 2024."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def month(period: str) -> str:
    """A month in Indonesian: Juli 2024."""
    year, place = period.split("-")
    return f"{_MONTHS[int(place) - 1]} {year}"


def moment(value: datetime) -> str:
    """A point in time as clocks in western Indonesia show it."""
    local = value.astimezone(_WIB)
    return f"{day(local)} pukul {local:%H.%M} WIB"


def number(value: int) -> str:
    """A count as Indonesians write it: 8.563."""
    return f"{value:,}".replace(",", ".")


def decimal(value: str | None) -> str:
    """A decimal with a comma; a dash where there is none."""
    return "-" if value is None else value.replace(".", ",")


def percent(part: int, whole: int) -> str:
    """A share with one decimal, halves up."""
    return decimal(str((Decimal(100 * part) / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)))
