"""`kkb readiness`: how many villages have a decree, a work plan, a data room; yes, no and not reported."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.assessments import TABLES, Out
from cli.classes import Level
from cli.files import ending_of, save
from cli.options import AsJson, Region
from cli.screen import console, decimal, number, show_json, show_table, table
from cli.words import SIMULATED

_ANSWERS = {"yes": "Ada", "no": "Tidak ada", "not_reported": "Belum isi"}


def show_readiness(
    ctx: typer.Context,
    region: Region = None,
    by: Annotated[Level | None, typer.Option(help="Tingkat wilayah pada baris berkas (--out)")] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Kesiapan Kampung KB suatu wilayah: ada, tidak ada, belum isi. Rincian per bagian wilayah dengan --out."""
    filters = {"region": region, "by": by.value if by else None}
    if out is not None:
        ending = ending_of(out, TABLES)
        save(out, gateway_of(ctx).download(f"/report-tables/readiness{ending}", **filters))
        return
    found = gateway_of(ctx).get("/report-tables/readiness", **filters)
    if as_json:
        show_json(found)
        return
    whole = found["total"]
    shown = table("Kesiapan", *_ANSWERS.values(), numbers=tuple(_ANSWERS.values()))
    for name, cells in _items(found).items():
        shown.add_row(name, *(_share(cells[answer]) for answer in _ANSWERS))
    where = " ".join(filter(None, (whole["region_code"], whole["region_name"]))) or "Indonesia"
    screen = console()
    show_table(screen, f"Kesiapan {number(whole['total'])} Kampung KB aktif di {where}", shown)
    if whole["simulated"]:
        screen.print(f"{SIMULATED}: {number(whole['simulated'])} dari {number(whole['total'])} memakai data simulasi.")


def _items(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The total's cells by question and answer, in the order of the columns."""
    items: dict[str, dict[str, Any]] = {}
    for column in found["columns"]:
        name, _, _ = column["labels"]["id"].partition(":")
        items.setdefault(name, {})[column["code"].rpartition(".")[2]] = found["total"]["cells"][column["code"]]
    return items


def _share(cell: dict[str, Any]) -> str:
    return f"{number(cell['count'])} ({decimal(cell['percent'], '%')})"
