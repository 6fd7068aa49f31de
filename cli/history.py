"""`kkb history` and `kkb trend`: classes month by month, of one village and of a region."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import segment
from cli.options import AsJson, Region
from cli.screen import console, decimal, moment, number, show_json, show_table, table
from cli.words import CLASSES, NOT_ASSESSABLE, SIMULATED, class_name

_MOVES = (NOT_ASSESSABLE, "Belum ada data", "Naik", "Turun")
_MOVED = ("not_assessable", "not_yet_told", "risen", "fallen")


def show_history(
    ctx: typer.Context,
    village: Annotated[str, typer.Argument(help="Id Kampung KB, atau kode desa/kelurahannya", show_default=False)],
    months: Annotated[int, typer.Option(min=1, max=200, help="Paling banyak sekian bulan")] = 24,
    as_json: AsJson = False,
) -> None:
    """Kelas suatu Kampung KB bulan demi bulan, dan apa yang semula dikatakan sebelum data susulan datang."""
    found = gateway_of(ctx).get(f"/assessments/{segment(village)}/history", limit=months)
    if as_json:
        show_json(found)
        return
    screen, owner = console(), found["village"]
    if any(one["simulated"] for one in found["items"]):
        screen.print(f"{SIMULATED}: riwayat ini memakai data simulasi.", style="bold magenta")
    if not found["items"]:
        screen.print("Belum ada laporan atau intervensi apa pun dari Kampung KB ini.", style="yellow")
        return
    dimensions = list(found["items"][0]["indexes"])
    shown = table("Bulan", "Kelas", *(name.title() for name in dimensions), "Isian", "Aturan", "Revisi", "Semula")
    for one in found["items"]:
        shown.add_row(
            one["period"],
            class_name(one["class"]),
            *(decimal(one["indexes"].get(name)) for name in dimensions),
            f"{number(one['completeness']['answered'])}/{number(one['completeness']['asked'])}",
            one["ruleset"],
            number(one["revision"]),
            "; ".join(_before(before) for before in one["superseded"]) or "-",
        )
    names = owner["region_names"]
    show_table(screen, f"Riwayat {owner['name'] or names['village']} ({owner['region_code']})", shown)
    if found["next_cursor"]:
        screen.print("Masih ada bulan yang lebih lama (--months).")


def _before(one: dict[str, Any]) -> str:
    return f"{class_name(one['class'])} s.d. {moment(one['superseded_at'])}"


def show_trend(
    ctx: typer.Context,
    region: Region = None,
    first: Annotated[str | None, typer.Option("--from", help="Bulan pertama, YYYY-MM", show_default=False)] = None,
    last: Annotated[str | None, typer.Option("--to", help="Bulan terakhir, YYYY-MM", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Jumlah Kampung KB aktif suatu wilayah menurut kelas, bulan demi bulan."""
    found = gateway_of(ctx).get("/class-trends", **{"region": region, "from": first, "to": last})
    if as_json:
        show_json(found)
        return
    numbers = (*CLASSES.values(), *_MOVES)
    shown = table("Bulan", *numbers, numbers=numbers)
    for one in found["items"]:
        counts = [number(one["classes"][code]) for code in CLASSES]
        shown.add_row(one["period"], *counts, *(number(one[name]) for name in _MOVED))
    where = found["region_code"] or "Indonesia"
    show_table(console(), f"Kelas {number(found['total'])} Kampung KB aktif di {where} pada akhir bulan", shown)
