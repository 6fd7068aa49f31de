"""Turns assessments into the rows of a table: the predecessor's recapitulation of the classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from contracts.reasons import ReasonCode
from kit.spreadsheets import Cell, Column, Sheet
from services.scoring.assessments.rules import percent
from services.scoring.rulesets.engine import Engine

_REASONS = {
    ReasonCode.REPORT_ABSENT: "laporan belum ada",
    ReasonCode.ANSWER_MISSING: "ada isian yang belum dilaporkan",
    ReasonCode.DATE_MISSING: "tanggal intervensi tidak diketahui",
    ReasonCode.DENOMINATOR_ZERO: "tidak ada pembaginya",
    ReasonCode.IMPLAUSIBLE: "angka tidak masuk akal",
    ReasonCode.REPORT_TOO_OLD: "laporan terlalu lama",
    ReasonCode.AGE_UNKNOWN: "umur laporan tidak diketahui",
}
"""What the reasons are called for short; explanations say more."""
_PLACE = ("Kode wilayah", "Provinsi", "Kabupaten/Kota", "Kecamatan", "Desa/Kelurahan", "Nama Kampung KB")


def sheet_of(engine: Engine, region: str | None, today: date) -> Sheet:
    """The table's name and its columns: place, scores and indexes of the ruleset in force, class, and what it rests on."""
    ruleset = engine.ruleset
    return Sheet(
        file_name="-".join(filter(None, ("klasifikasi-kampung-kb", region, today.isoformat()))),
        title="Klasifikasi Kampung KB",
        columns=(
            *(Column(heading) for heading in _PLACE),
            *(Column(indicator.labels.id, 0) for indicator in ruleset.indicators),
            *(Column(f"Indeks {one.labels.id}", one.rounding.decimals) for one in ruleset.dimensions),
            Column("Klasifikasi"),
            Column("Kelengkapan (%)", 1),
            Column("Data simulasi"),
            Column("Aturan"),
            Column("Mengapa tidak dinilai"),
        ),
    )


def row_of(engine: Engine, found: Any) -> list[Cell]:
    """One village. What is not assessable stays empty, never 0, and the last column says why.

    What another ruleset than the one in force scored, and this one does not have, stays empty, too.
    """
    *place, scores, indexes, reasons, village_class, answered, asked, simulated, ruleset = found
    labels = {label.code.value: label.labels.id for label in engine.ruleset.classes}
    return [
        *place,
        *(scores.get(code) for code in engine.codes),
        *(indexes.get(dimension.code) for dimension in engine.dimensions),
        labels.get(village_class, village_class),
        percent(answered, asked),
        "ya" if simulated else "tidak",
        ruleset,
        _why(engine, reasons),
    ]


def _why(engine: Engine, reasons: Mapping[str, Sequence[str]]) -> str | None:
    """The reasons by indicator, in words: "CPR: laporan belum ada; Pokja: ada isian yang belum dilaporkan"."""
    told = [
        f"{one.labels.id}: {', '.join(_REASONS[ReasonCode(code)] for code in reasons[one.code])}"
        for one in engine.ruleset.indicators
        if one.code in reasons
    ]
    return "; ".join(told) or None
