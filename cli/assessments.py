"""`kkb assessments`: the villages of a region with their classes, filtered and sorted, or as a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.failures import Failure
from cli.files import ending_of, save
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, decimal, mark, more_than, show_json, show_table, table
from cli.words import REPORTS, class_name

TABLES = (".csv", ".xlsx")
"""Endings of tables that offices open."""

Out = Annotated[
    Path | None, typer.Option(help="Simpan ke berkas baru: .csv (untuk Excel Indonesia) atau .xlsx", show_default=False)
]


class Completeness(StrEnum):
    """Bands of completeness, in percent."""

    NOTHING = "0"
    LITTLE = "1-49"
    HALF = "50-79"
    MOST = "80-99"
    ALL = "100"


class Kind(StrEnum):
    """Kinds of reports."""

    PROFILE = "profile"
    POPULATION = "population"
    FAMILY_PLANNING = "family_planning"


def list_assessments(
    ctx: typer.Context,
    region: Region = None,
    sort: Annotated[
        str | None,
        typer.Option(
            help="Urutan: region_code, distance (terdekat ke kelas berikutnya), atau dimensi seperti output; "
            "awali dengan - untuk urutan terbalik (--sort=-output)",
            show_default=False,
        ),
    ] = None,
    village_class: Annotated[
        str | None, typer.Option("--class", help="Hanya kelas ini; none = tidak dapat dinilai")
    ] = None,
    score: Annotated[
        list[str] | None, typer.Option(help="Indikator dan skornya, seperti input_pokja:1; boleh berulang")
    ] = None,
    missing: Annotated[list[Kind] | None, typer.Option(help="Laporan yang belum pernah ada; boleh berulang")] = None,
    older_than: Annotated[int | None, typer.Option(min=0, help="Laporan terbaru lebih tua dari sekian bulan")] = None,
    older_kind: Annotated[
        list[Kind] | None, typer.Option(help="Jenis laporan untuk --older-than; tanpa ini jenis mana pun")
    ] = None,
    completeness: Annotated[Completeness | None, typer.Option(help="Persen isian yang dilaporkan")] = None,
    without_reports: Annotated[
        bool | None, typer.Option("--without-reports/--with-reports", help="Belum pernah ada laporan, atau sudah")
    ] = None,
    simulated: Annotated[
        bool | None, typer.Option("--simulated/--real", help="Hanya yang memakai data simulasi, atau hanya yang tidak")
    ] = None,
    out: Out = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Kampung KB dengan kelas, indeks, dan jaraknya ke kelas berikutnya. Dengan --out semuanya disimpan ke berkas."""
    filters = {
        "region": region,
        "class": village_class,
        "score": score or None,
        "missing": [kind.value for kind in missing or ()] or None,
        "older_than_months": older_than,
        "older_kind": [kind.value for kind in older_kind or ()] or None,
        "completeness": completeness and completeness.value,
        "without_reports": _flag(without_reports),
        "simulated": _flag(simulated),
    }
    if out is not None:
        if sort is not None:
            raise Failure("Berkas selalu terurut menurut kode wilayah; --sort tidak berlaku dengan --out.")
        ending = ending_of(out, TABLES)
        save(out, gateway_of(ctx).download(f"/assessments/export{ending}", **filters))
        return
    found, more = gateway_of(ctx).items("/assessments", limit, sort=sort, **filters)
    if as_json:
        show_json(found)
        return
    _show(found, more=more)


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _show(found: list[dict[str, Any]], *, more: bool) -> None:
    dimensions = list(dict.fromkeys(name for one in found for name in one["indexes"]))
    numbers = (*(name.title() for name in dimensions), "Jarak", "Kelengkapan")
    shown = table("Kode", "Desa/kelurahan", "Kecamatan", "Kelas", *numbers, "Laporan terbaru", "", numbers=numbers)
    for one in found:
        names = one["village"]["region_names"]
        shown.add_row(
            one["village"]["region_code"],
            names["village"],
            names["district"],
            class_name(one["class"]),
            *(decimal(one["indexes"].get(name)) for name in dimensions),
            decimal(one["distance"]),
            decimal(one["completeness"]["percent"], "%"),
            _newest(one["newest_periods"] or {}),
            mark(simulated=one["simulated"]),
        )
    screen = console()
    show_table(screen, "Kelas Kampung KB", shown)
    screen.print(
        "Jarak: poin indeks yang kurang untuk kelas yang lebih tinggi; - pada kelas tertinggi dan tanpa kelas."
    )
    if more:
        screen.print(more_than(len(found)))


def _newest(periods: dict[str, str]) -> str:
    return ", ".join(f"{REPORTS[kind]} {periods[kind]}" for kind in REPORTS if kind in periods) or "belum ada"
