"""`kkb classes`: how many villages of a region are in each class."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.access import gateway_of
from cli.assessments import TABLES, Out
from cli.files import ending_of, save
from cli.options import AsJson, Region
from cli.screen import console, decimal, number, show_json, show_table, table
from cli.words import CLASSES, NOT_ASSESSABLE, SIMULATED


class Level(StrEnum):
    """Levels of regions that villages are counted by."""

    PROVINCE = "province"
    REGENCY = "regency"
    DISTRICT = "district"
    VILLAGE = "village"


_LEVELS = {"province": "provinsi", "regency": "kabupaten/kota", "district": "kecamatan", "village": "desa/kelurahan"}
_WIDE = 132
"""Columns of a terminal from which on shares and simulated villages have room beside the counts."""
_NUMBERS = (*CLASSES.values(), NOT_ASSESSABLE.replace(" ", "\n"), "Jumlah", "Simulasi", "Tanpa\nlaporan")
"""Headings are broken here, at their words: rich makes their columns as wide as the line, and breaks names instead."""


def show_classes(
    ctx: typer.Context,
    region: Region = None,
    by: Annotated[Level | None, typer.Option(help="Tingkat wilayah pada baris tabel")] = None,
    period: Annotated[str | None, typer.Option(help="Kelas pada akhir bulan ini, TTTT-BB", show_default=False)] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Jumlah Kampung KB menurut kelas, per bagian wilayah."""
    if out is not None:
        path = f"/report-tables/classes{ending_of(out, TABLES)}"
        save(out, gateway_of(ctx).download(path, region=region, by=by.value if by else None, period=period))
        return
    counts = gateway_of(ctx).get("/class-counts", region=region, by=by.value if by else None, period=period)
    if as_json:
        show_json(counts)
        return
    whole, parts = counts["total"], counts["items"]
    what = f"akhir {period}" if period else f"aturan {counts['ruleset']}"
    title = f"Klasifikasi {_name(whole)} per {_LEVELS[counts['by']]} ({what})"
    screen = console()
    show_table(screen, title, _wide(parts, whole) if screen.width >= _WIDE else _narrow(parts, whole))
    if whole["total"] == 0:
        screen.print("Belum ada Kampung KB yang dinilai di wilayah ini.")
    if whole["not_yet_told"]:
        screen.print(f"Belum ada data apa pun saat itu: {number(whole['not_yet_told'])} Kampung KB.")
    if whole["simulated"]:
        screen.print(f"{SIMULATED}: {number(whole['simulated'])} dari {number(whole['total'])} memakai data simulasi.")


def _wide(parts: list[dict[str, Any]], whole: dict[str, Any]) -> Table:
    shown = table("Kode", "Wilayah", *_NUMBERS, numbers=_NUMBERS)
    for part in parts:
        shown.add_row(*_row(part))
    shown.add_section()
    shown.add_row(*_row(whole, "Jumlah"), style="bold")
    return shown


def _narrow(parts: list[dict[str, Any]], whole: dict[str, Any]) -> Table:
    """For 80 columns: without shares, and without how many are simulated, which a line under the table says in sum."""
    numbers = tuple(heading for heading in _NUMBERS if heading != "Simulasi")
    shown = table("Wilayah", *numbers, numbers=numbers)
    shown.padding = (0, 0)  # the box leaves a column between them
    for column in shown.columns[1:]:  # names are broken between words where they must, headings never
        column.min_width = max(len(line) for line in str(column.header).split("\n"))
    for part in parts:
        shown.add_row(_name(part), *_counts(part))
    shown.add_section()
    shown.add_row("Jumlah", *_counts(whole), style="bold")
    return shown


def _counts(counts: dict[str, Any]) -> list[str]:
    shares = [*(counts["classes"][code] for code in CLASSES), counts["not_assessable"]]
    return [number(one) for one in (*(share["count"] for share in shares), counts["total"], counts["without_reports"])]


def _name(counts: dict[str, Any]) -> str:
    return " ".join(filter(None, (counts["region_code"], counts["region_name"]))) or "Indonesia"


def _row(counts: dict[str, Any], name: str | None = None) -> list[str]:
    shares = [*(counts["classes"][code] for code in CLASSES), counts["not_assessable"]]
    return [
        "" if name else counts["region_code"] or "",
        name or counts["region_name"] or "",
        *(_share(share) for share in shares),
        number(counts["total"]),
        number(counts["simulated"]),
        number(counts["without_reports"]),
    ]


def _share(share: dict[str, Any]) -> str:
    if share["percent"] is None:
        return number(share["count"])
    return f"{number(share['count'])} ({decimal(share['percent'], '%')})"
