"""Turns assessments into the rows of a table: the predecessor's recapitulation of the classification."""

from __future__ import annotations

from datetime import date
from typing import Any

from kit.spreadsheets import Cell, Column, Sheet
from services.scoring.assessments.rules import percent
from services.scoring.rulesets.engine import Engine

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
        ),
    )


def row_of(engine: Engine, found: Any) -> list[Cell]:
    """One village. What another ruleset than the one in force scored, and this one does not have, stays empty."""
    *place, scores, indexes, village_class, answered, asked, simulated, ruleset = found
    labels = {label.code.value: label.labels.id for label in engine.ruleset.classes}
    return [
        *place,
        *(scores.get(code) for code in engine.codes),
        *(indexes.get(dimension.code) for dimension in engine.dimensions),
        labels.get(village_class, village_class),
        percent(answered, asked),
        "ya" if simulated else "tidak",
        ruleset,
    ]
