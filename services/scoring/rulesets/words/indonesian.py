"""Explanations in Indonesian."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from contracts.facts import ReportKind
from services.scoring.rulesets.document import Labels
from services.scoring.rulesets.words.phrases import PERCENT, Phrases

_REPORTS = {
    ReportKind.PROFILE: "profil",
    ReportKind.POPULATION: "kependudukan",
    ReportKind.FAMILY_PLANNING: "program Bangga Kencana",
}
_AS_WRITTEN = str.maketrans(",.", ".,")


class Indonesian(Phrases):
    """1.234,5; nouns do not change with their number."""

    not_reported = "tidak dilaporkan"
    no_value = "tanpa nilai"
    any_value = "nilai apa pun"
    yes = "ya"
    no = "tidak"
    none = "tidak ada"
    numerator_missing = "pembilang tidak dilaporkan"
    denominator_missing = "penyebut tidak dilaporkan"
    denominator_zero = "penyebut 0"
    blanks_counted_as_none = " [yang tidak dilaporkan dihitung 0 menurut aturan]"
    dates_missing = "tanggal intervensi atau tanggal penilaian tidak diketahui"

    def label(self, labels: Labels) -> str:
        return labels.id

    def number(self, value: Decimal | int) -> str:
        return f"{value:,}".translate(_AS_WRITTEN)

    def with_unit(self, value: Decimal | int, unit: str) -> str:
        return f"{self.number(value)}{unit}" if unit == PERCENT else f"{self.number(value)} {unit}"

    def share(self, part: str, whole: str) -> str:
        return f"{part} dari {whole}"

    def mean(self, count: int, parts: str) -> str:
        return f"Jumlah {count} persentase dibagi {count} ({parts})"

    def actors(self, interventions: int, excluded: Sequence[str], months: int | None) -> str:
        text = f"Pelaksana yang berbeda pada {self.number(interventions)} intervensi"
        if months is not None:
            text += f" dalam {months} bulan terakhir"
        return f"{text}, tanpa {', '.join(excluded)}" if excluded else text

    def counted_as_zero(self, reasons: Sequence[str]) -> str:
        return f" [{' dan '.join(reasons)}: dihitung 0% menurut aturan]"

    def without_value(self, told: str, reasons: Sequence[str], score: int | None) -> str:
        result = "Tidak dapat dinilai" if score is None else f"Skor {score} ditetapkan aturan"
        return f"{told}. {result}: {'; '.join(reasons)}"

    def at_most(self, value: Decimal, unit: str) -> str:
        return f"paling banyak {self.with_unit(value, unit)}"

    def at_least(self, value: Decimal, unit: str) -> str:
        return f"{self.with_unit(value, unit)} atau lebih"

    def between(self, low: Decimal, high: Decimal, unit: str) -> str:
        return f"{self.number(low)} sampai {self.with_unit(high, unit)}"

    def report_absent(self, kind: ReportKind) -> str:
        return f"laporan {_REPORTS[kind]} belum ada"

    def answers_missing(self, labels: Sequence[str]) -> str:
        return f"belum dilaporkan: {', '.join(labels)}"

    def nothing_to_divide_by(self, whole: str) -> str:
        return f"tidak ada pembaginya: {whole}"

    def part_above_whole(self, part: str, whole: str) -> str:
        return f"tidak masuk akal: {part} melebihi {whole}"

    def below_zero(self, part: str, whole: str) -> str:
        return f"tidak masuk akal: ada angka di bawah 0 ({part}; {whole})"

    def too_old(self, kind: ReportKind, period: str, age: int, limit: int) -> str:
        return f"laporan {_REPORTS[kind]} {period} sudah berumur {age} bulan, paling lama {limit} bulan"

    def age_unknown(self, kind: ReportKind) -> str:
        return f"bulan laporan {_REPORTS[kind]} atau tanggal penilaian tidak diketahui"

    def need(self, difference: str, target: str, score: int, *, more: bool) -> str:
        return f"{difference} untuk {'mencapai' if more else 'turun ke'} {target} (skor {score})"

    def counted(self, count: int, noun: str | None, *, more: bool) -> str:
        named = self.number(count) if noun is None else f"{self.number(count)} {noun}"
        return f"{named} lagi" if more else f"{named} lebih sedikit"

    def points(self, value: Decimal, *, more: bool) -> str:
        return f"{self.number(value)} poin persen {'lagi' if more else 'lebih rendah'}"
