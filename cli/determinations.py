"""`kkb determinations`: a region's classes frozen for a period by a decree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.client import segment
from cli.files import ending_of, save
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, decimal, mark, moment, more_than, number, show_json, show_table, table
from cli.words import CERTAINTIES, CLASSES, NOT_ASSESSABLE, REPORTS, SIMULATED, class_name

app = typer.Typer(help="Penetapan: kelas suatu wilayah untuk satu periode, dengan keputusan.", no_args_is_help=True)

_FORMS = {".xlsx": "list.xlsx", ".html": "document", ".json": "content"}
_NUMBERS = (*CLASSES.values(), NOT_ASSESSABLE, "Jumlah")
_DIFFERENT = 1

Id = Annotated[str, typer.Argument(help="Id penetapan, seperti tampak pada `list`", show_default=False)]
Period = Annotated[str, typer.Option("--period", help="Bulan, TTTT-BB")]
Ruleset = Annotated[str, typer.Option("--ruleset", help="Aturan, seperti web-2021")]
ItsRegion = Annotated[str, typer.Option("--region", help="Kode wilayah Kemendagri, seperti 33.26")]


@app.command("list")
def list_determinations(
    ctx: typer.Context,
    region: Region = None,
    period: Annotated[str | None, typer.Option(help="Hanya bulan ini, TTTT-BB")] = None,
    ruleset: Annotated[str | None, typer.Option(help="Hanya menurut aturan ini")] = None,
    every: Annotated[bool, typer.Option("--all", help="Juga yang sudah diganti")] = False,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Penetapan, yang terbaru dahulu."""
    filters = {"region": region, "period": period, "ruleset": ruleset, "replaced": None if every else "false"}
    found, more = gateway_of(ctx).items("/determinations", limit, **filters)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Wilayah", "Periode", "Keputusan", "Aturan", "Kampung KB", "", numbers=("Kampung KB",))
    for one in found:
        header = one["header"]
        shown.add_row(
            header["id"],
            f"{header['region_code']} {header['region_name']}",
            header["period"],
            header["decree"]["number"],
            header["ruleset"]["id"],
            number(header["counts"]["villages"]),
            mark(simulated=header["simulated"]),
            style="dim" if one["replaced_by"] else None,
        )
    show_table(console(), "Penetapan", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("show")
def show_determination(ctx: typer.Context, determination: Id, as_json: AsJson = False) -> None:
    """Satu penetapan: keputusan, aturan, jumlah menurut kelas, sidik."""
    found = gateway_of(ctx).get(f"/determinations/{segment(determination)}")
    if as_json:
        show_json(found)
        return
    screen, header = console(), found["header"]
    _say_simulated(screen, header["counts"])
    if found["replaced_by"]:
        screen.print(f"SUDAH DIGANTI oleh {found['replaced_by']}.", style="bold red")
    for term, text in _terms(found).items():
        screen.print(f"{term:<18} {text}", soft_wrap=True)
    _show_counts(screen, header["counts"])


@app.command("preview")
def preview_determination(
    ctx: typer.Context, region: ItsRegion, period: Period, ruleset: Ruleset, as_json: AsJson = False
) -> None:
    """Apa jadinya bila ditetapkan sekarang, dan apa yang belum lengkap. Tidak menyimpan apa pun."""
    body = {"region_code": region, "period": period, "ruleset": ruleset}
    found = gateway_of(ctx).post("/determinations/previews", body)
    if as_json:
        show_json(found)
        return
    _show_preview(console(), found)


@app.command("issue")
def issue_determination(
    ctx: typer.Context,
    region: ItsRegion,
    period: Period,
    ruleset: Ruleset,
    decree: Annotated[str, typer.Option("--decree", help="Nomor keputusan")],
    decree_date: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Tanggal keputusan, TTTT-BB-HH")],
    replaces: Annotated[str | None, typer.Option(help="Id penetapan lama yang diganti; --note wajib")] = None,
    note: Annotated[str | None, typer.Option(help="Catatan; bila mengganti: alasannya")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Tanpa bertanya dahulu")] = False,
    as_json: AsJson = False,
) -> None:
    """Tetapkan kelas suatu wilayah untuk bulan yang sudah berakhir. Penetapan tidak dapat diubah lagi."""
    gateway, asked = gateway_of(ctx), {"region_code": region, "period": period, "ruleset": ruleset}
    if not yes:
        _show_preview(console(stderr=as_json), gateway.post("/determinations/previews", asked))
        typer.confirm("Tetapkan? Tidak dapat diubah lagi", abort=True, err=as_json)
    own = {"decree": {"number": decree, "date": f"{decree_date:%Y-%m-%d}"}, "replaces": replaces, "note": note}
    found = gateway.post("/determinations", asked | own)
    if as_json:
        show_json(found)
        return
    screen, header = console(), found["header"]
    screen.print(f"Ditetapkan: {header['id']}", style="bold", soft_wrap=True)
    screen.print(f"Sidik: {found['digest']}", soft_wrap=True)
    _show_counts(screen, header["counts"])


@app.command("export")
def export_determination(
    ctx: typer.Context,
    determination: Id,
    out: Annotated[Path, typer.Option(help="Berkas baru: .xlsx, .html (dokumen untuk dicetak) atau .json")],
) -> None:
    """Simpan penetapan sebagai lembar kerja, dokumen untuk dicetak, atau isi yang dicakup sidiknya."""
    form = _FORMS[ending_of(out, _FORMS)]
    save(out, gateway_of(ctx).download(f"/determinations/{segment(determination)}/{form}"))


@app.command("verify")
def verify_determination(ctx: typer.Context, determination: Id) -> None:
    """Hitung ulang sidik dari seluruh isinya. Kode keluar 1 bila tidak sama dengan yang tercatat."""
    gateway, path = gateway_of(ctx), f"/determinations/{segment(determination)}"
    recorded = gateway.get(path)["digest"]
    computed = hashlib.sha256(gateway.download(f"{path}/content")).hexdigest()
    screen = console()
    screen.print(f"Tercatat  {recorded}\nDihitung  {computed}", soft_wrap=True)
    screen.print("Sama." if computed == recorded else "TIDAK SAMA.", style="green" if computed == recorded else "red")
    if computed != recorded:
        raise typer.Exit(_DIFFERENT)


def _terms(found: Mapping[str, Any]) -> dict[str, str]:
    header = found["header"]
    rules = header["ruleset"]
    terms = {
        "Penetapan": header["id"],
        "Wilayah": f"{header['region_name']} ({header['region_code']})",
        "Periode": header["period"],
        "Keputusan": f"{header['decree']['number']}, tanggal {header['decree']['date']}",
        "Aturan": f"{rules['labels']['id']} ({rules['id']}, versi {rules['version']})",
        "Dasar aturan": f"{rules['legal_basis']['id']}. {CERTAINTIES.get(rules['certainty'], rules['certainty'])}",
        "Menggantikan": header["replaces"],
        "Catatan": header["note"],
        "Dicatat": f"{moment(header['issued_at'])} oleh {header['issued_by']}",
        "Sidik (SHA-256)": found["digest"],
    }
    return {term: text for term, text in terms.items() if text is not None}


def _counts(counts: Mapping[str, Any]) -> list[str]:
    return [number(count) for count in (*_classes(counts), counts["not_assessable"], counts["villages"])]


def _classes(counts: Mapping[str, Any]) -> list[int]:
    return [counts["classes"][code] for code in CLASSES]


def _show_counts(screen: Console, counts: Mapping[str, Any]) -> None:
    shown = table("Kelas", "Kampung KB", numbers=("Kampung KB",))
    for name, count in zip(_NUMBERS, _counts(counts), strict=True):
        shown.add_row(name, count, style="bold" if name == _NUMBERS[-1] else None)
    show_table(screen, "Jumlah menurut kelas", shown)
    screen.print(f"Tanpa laporan: {number(counts['without_reports'])}. Tidak aktif: {number(counts['inactive'])}.")


def _say_simulated(screen: Console, counts: Mapping[str, Any]) -> None:
    if counts["simulated"]:
        text = f"{SIMULATED}: {number(counts['simulated'])} dari {number(counts['villages'])} memakai data simulasi."
        screen.print(text, style="bold magenta")


def _show_preview(screen: Console, found: Mapping[str, Any]) -> None:
    screen.print("PRATINJAU: belum ditetapkan, dan tidak disimpan.", style="bold")
    _say_simulated(screen, found["counts"])
    rules, asked = found["ruleset"], found["completeness"]
    screen.print(f"{found['region_name']} ({found['region_code']}), periode {found['period']}, aturan {rules['id']}.")
    screen.print(CERTAINTIES.get(rules["certainty"], rules["certainty"]))
    if not found["period_over"]:
        screen.print("Periode ini belum berakhir; belum dapat ditetapkan.", style="yellow")
    if found["stands"]:
        screen.print(f"Sudah ada penetapan: {found['stands']} (ganti dengan --replaces dan --note).", style="yellow")
    _show_counts(screen, found["counts"])
    screen.print(
        f"Isian terjawab: {number(asked['answered'])} dari {number(asked['asked'])} ({decimal(asked['percent'], '%')})."
    )
    if found["incomplete"]:
        _show_incomplete(screen, found)


def _show_incomplete(screen: Console, found: Mapping[str, Any]) -> None:
    shown = table("Kode", "Desa/kelurahan", "Kelas", "Laporan yang belum pernah ada")
    for one in found["incomplete_villages"]:
        missing = ", ".join(REPORTS[kind] for kind in one["missing_reports"])
        shown.add_row(one["region_code"], one["region_names"]["village"], class_name(one["class"]), missing)
    show_table(screen, f"Belum lengkap: {number(found['incomplete'])} Kampung KB", shown)
    if len(found["incomplete_villages"]) < found["incomplete"]:
        screen.print(f"Hanya {number(len(found['incomplete_villages']))} yang pertama.")
