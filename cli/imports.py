"""`kkb imports`: imports that were made, and what became of each of their rows."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.access import gateway_of
from cli.client import segment
from cli.import_summary import show_summary
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import IMPORT_STATES, ROW_STATUSES

app = typer.Typer(help="Impor yang pernah dijalankan.", no_args_is_help=True)

ImportId = Annotated[str, typer.Argument(help="Id impor", show_default=False)]


@app.command("list")
def list_imports(
    ctx: typer.Context,
    region: Region = None,
    state: Annotated[str | None, typer.Option(help=", ".join(IMPORT_STATES))] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Impor di wilayah Anda, yang terbaru dahulu."""
    found, more = gateway_of(ctx).items("/imports", limit, region=region, state=state)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Dibuka", "Wilayah", "Tahun", "Keadaan", "Baris", "Catatan", numbers=("Baris",))
    for one in found:
        state_words = IMPORT_STATES.get(one["state"], one["state"]) + (" (uji coba)" if one["dry_run"] else "")
        rows = number(one["progress"]["rows_total"])
        shown.add_row(
            one["id"], moment(one["created_at"]), one["region"], str(one["year"]), state_words, rows, one["note"] or ""
        )
    show_table(console(), "Impor", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("show")
def show_import(ctx: typer.Context, import_id: ImportId, as_json: AsJson = False) -> None:
    """Satu impor dengan ringkasannya."""
    found = gateway_of(ctx).get(f"/imports/{segment(import_id)}")
    if as_json:
        show_json(found)
        return
    screen, progress = console(), found["progress"]
    if found["summary"] is not None:
        show_summary(found)
        return
    screen.print(
        f"Impor {found['id']} {IMPORT_STATES.get(found['state'], found['state'])}: "
        f"{number(progress['rows_done'])} dari {number(progress['rows_total'])} baris."
    )
    for one in found["tables"]:
        screen.print(f"  {one['name']}: {one['kind'] or one['detail'] or one['problem']}")
    if found["failure"]:
        screen.print(f"Gagal: {found['failure']}", style="red")


@app.command("rows")
def list_rows(
    ctx: typer.Context,
    import_id: ImportId,
    table_name: Annotated[str | None, typer.Option("--table", help="Hanya dari berkas ini")] = None,
    status: Annotated[str | None, typer.Option(help=", ".join(ROW_STATUSES))] = None,
    reason: Annotated[str | None, typer.Option(help="Hanya dengan alasan ini")] = None,
    region: Region = None,
    period: Annotated[str | None, typer.Option(help="Bulan, TTTT-BB")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Apa yang terjadi pada setiap baris yang dibaca."""
    filters = {"table": table_name, "status": status, "reason": reason, "region": region, "period": period}
    found, more = gateway_of(ctx).items(f"/imports/{segment(import_id)}/rows", limit, **filters)
    if as_json:
        show_json(found)
        return
    shown = table("Berkas", "Baris", "Keadaan", "Bulan", "Desa/kelurahan", "Keterangan", numbers=("Baris",))
    for row in found:
        shown.add_row(
            row["table"],
            str(row["row"]),
            ROW_STATUSES.get(row["status"], row["status"]),
            row["period"] or "-",
            row["region_code"] or "-",
            row["detail"] or row["reason"] or "",
        )
    show_table(console(), "Apa yang terjadi pada setiap baris", shown)
    if more:
        console().print(more_than(len(found)))
