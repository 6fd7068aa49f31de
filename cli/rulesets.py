"""`kkb rulesets`: rulesets, which of them is in force from when, and what another one would change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.classes import Level
from cli.client import Gateway, segment
from cli.failures import Failure, Refused
from cli.files import write_new
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import CERTAINTIES, RULESET_STATUSES, SIMULATED, class_name

app = typer.Typer(help="Aturan klasifikasi: rancangan, terbit, berlaku, perbandingan.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Kode aturan, seperti web-2021", show_default=False)]
File = Annotated[Path, typer.Argument(help="Berkas dokumen aturan (JSON, status draft)", show_default=False)]
_UNKNOWN = 404
_INVALID = 1


@app.command("list")
def list_rulesets(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="draft, published, atau retired")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Semua aturan: rancangan, terbit, dan pensiun."""
    found, more = gateway_of(ctx).items("/rulesets", limit, status=status)
    if as_json:
        show_json(found)
        return
    shown = table("Kode", "Nama", "Status", "Berlaku", "Terbit", "Sidik dokumen")
    for one in found:
        digest = one["digest"] or "-"
        shown.add_row(
            one["id"], one["labels"]["id"], _status(one), _in_force(one), moment(one["published_at"]), digest[:12]
        )
    show_table(console(), "Aturan klasifikasi", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("show")
def show_ruleset(
    ctx: typer.Context,
    ruleset: Id,
    document: Annotated[bool, typer.Option("--document", help="Hanya dokumennya, siap disimpan ke berkas")] = False,
    as_json: AsJson = False,
) -> None:
    """Satu aturan: status, dasar hukum, dimensi, dan indikatornya."""
    found = gateway_of(ctx).get(f"/rulesets/{segment(ruleset)}")
    if as_json or document:
        show_json(found["document"] if document else found)
        return
    screen = console()
    screen.print(f"{found['labels']['id']} ({found['id']}, versi {found['version']})", style="bold")
    screen.print(f"Status: {_status(found)}; berlaku sekarang: {_in_force(found)}")
    basis = found["legal_basis"]
    screen.print(f"Dasar: {basis['text']['id']}. {CERTAINTIES[basis['certainty']]}")
    if found["digest"]:
        screen.print(f"Sidik dokumen: {found['digest']}", soft_wrap=True)
    shown = table("Dimensi", "Ambang", "Indikator")
    for dimension in found["document"]["dimensions"]:
        own = [one["labels"]["id"] for one in found["document"]["indicators"] if one["dimension"] == dimension["code"]]
        shown.add_row(dimension["labels"]["id"], dimension["threshold"].replace(".", ","), "; ".join(own))
    show_table(screen, "Dimensi", shown)


@app.command("validate")
def validate_file(ctx: typer.Context, file: File, as_json: AsJson = False) -> None:
    """Periksa dokumen aturan tanpa menyimpannya. Kode keluar 1 bila ada yang salah."""
    found = gateway_of(ctx).post("/rulesets/validation", _read(file))
    if as_json:
        show_json(found)
    else:
        _show_validation(console(), file, found)
    if not found["valid"]:
        raise typer.Exit(_INVALID)


@app.command("publish")
def publish_file(ctx: typer.Context, file: File, as_json: AsJson = False) -> None:
    """Simpan dokumen sebagai rancangan, lalu terbitkan: sesudah itu tidak dapat diubah lagi."""
    gateway, content = gateway_of(ctx), _read(file)
    draft = _drafted(gateway, _id_of(file, content), content)
    path = f"/rulesets/{segment(draft['id'])}/publication"
    found = gateway.post(path, if_match=_etag(draft))
    if as_json:
        show_json(found)
        return
    console().print(f"Aturan {found['id']} diterbitkan. Sidik dokumen: {found['digest']}", soft_wrap=True)
    console().print(f"Belum berlaku; berlakukan dengan `kkb rulesets put-in-force {found['id']} --from TANGGAL`.")


@app.command("retire")
def retire_ruleset(ctx: typer.Context, ruleset: Id) -> None:
    """Pensiunkan aturan terbit: tidak dapat diberlakukan lagi, tetap dapat dibaca dan dibandingkan."""
    found = gateway_of(ctx).post(f"/rulesets/{segment(ruleset)}/retirement")
    console().print(f"Aturan {found['id']} dipensiunkan.")


@app.command("in-force")
def show_in_force(ctx: typer.Context, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False) -> None:
    """Aturan mana yang berlaku sejak kapan: yang lalu, sekarang, dan yang akan datang."""
    found, more = gateway_of(ctx).items("/rulesets/in-force", limit)
    if as_json:
        show_json(found)
        return
    shown = table("Mulai", "Aturan", "", "Ditetapkan", "Oleh")
    for one in found:
        note = "berlaku sekarang" if one["now"] else "diganti sebelum berlaku" if one["replaced"] else ""
        shown.add_row(one["from"], one["ruleset"], note, moment(one["set_at"]), one["set_by"])
    show_table(console(), "Aturan yang berlaku", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("put-in-force")
def put_in_force(
    ctx: typer.Context,
    ruleset: Id,
    begin: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Hari mulai berlaku, TTTT-BB-HH")],
) -> None:
    """Berlakukan aturan terbit mulai suatu hari, hari ini atau kemudian. Kelas semua Kampung KB mengikuti sendiri."""
    gateway, screen = gateway_of(ctx), console()
    found = gateway.post("/rulesets/in-force", {"ruleset": ruleset, "from": f"{begin:%Y-%m-%d}"})
    screen.print(f"Aturan {found['ruleset']} berlaku mulai {found['from']}.")
    noticed = gateway.get(f"/rulesets/{segment(ruleset)}")
    if noticed["may_give_no_class"]:
        screen.print("Kampung KB yang datanya tidak lengkap tidak mendapat kelas menurut aturan ini.", style="yellow")
        screen.print("Sistem yang mengikuti perubahan kelas harus membaca village-classified versi 2.", style="yellow")
    if noticed["looks_at_time"]:
        screen.print("Kelas dapat berubah karena laporan atau intervensi menjadi terlalu lama.", style="yellow")


@app.command("compare")
def compare_rulesets(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(help="Dari aturan ini", show_default=False)],
    b: Annotated[str, typer.Argument(help="Ke aturan ini", show_default=False)],
    region: Region = None,
    by: Annotated[Level | None, typer.Option(help="Tingkat wilayah pada baris tabel")] = None,
    villages: Annotated[
        Path | None, typer.Option(help="Tulis juga satu baris per Kampung KB ke berkas CSV baru ini")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Berapa Kampung KB berpindah kelas bila aturannya diganti, dan indikator mana penyebabnya. Tidak disimpan."""
    gateway, path = gateway_of(ctx), f"/rulesets/{segment(a)}/comparison/{segment(b)}"
    found = gateway.get(path, region=region, by=by.value if by else None)
    if as_json:
        show_json(found)
    else:
        _show_comparison(console(), found)
    if villages is not None:
        write_new(villages, gateway.download(f"{path}/villages.csv", region=region))


def _status(one: dict[str, Any]) -> str:
    return str(RULESET_STATUSES.get(one["status"], one["status"]))


def _in_force(one: dict[str, Any]) -> str:
    return "ya" if one["in_force"] else "tidak"


def _etag(one: dict[str, Any]) -> str:
    return f'"{one["revision"]}"'


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"Berkas {file} tidak dapat dibaca: {error.strerror}.") from error


def _id_of(file: Path, content: bytes) -> str:
    try:
        number = json.loads(content)["id"]
    except (ValueError, TypeError, KeyError) as error:
        raise Failure(f"{file} bukan dokumen aturan: JSON dengan isian id.") from error
    return str(number)


def _drafted(gateway: Gateway, number: str, content: bytes) -> dict[str, Any]:
    """The draft with this document: a new one, or the one of this id with its document replaced."""
    try:
        present = gateway.get(f"/rulesets/{segment(number)}")
    except Refused as refused:
        if refused.status != _UNKNOWN:
            raise
        drafted: dict[str, Any] = gateway.post("/rulesets", content)
    else:
        path = f"/rulesets/{segment(number)}"
        drafted = gateway.put(path, content, "application/json", if_match=_etag(present))
    return drafted


def _show_validation(screen: Console, file: Path, found: dict[str, Any]) -> None:
    if not found["valid"]:
        screen.print(f"{file}: tidak dapat diterbitkan.", style="red")
        _show_places(screen, found["problems"])
        return
    cases = number(len(found["boundary_cases"]))
    screen.print(f"{file}: dapat diterbitkan; {cases} kasus batas.", style="green")
    if found["when_in_force"]:
        screen.print("Bila diberlakukan:", style="yellow")
        _show_places(screen, found["when_in_force"])


def _show_places(screen: Console, places: Sequence[dict[str, str]]) -> None:
    for one in places:
        screen.print(f"  - {one['pointer']}: {one['detail']}", soft_wrap=True)


def _show_comparison(screen: Console, found: dict[str, Any]) -> None:
    total = found["total"]
    place = " ".join(filter(None, (total["region_code"], total["region_name"]))) or "Indonesia"
    screen.print(f"Dari {found['a']['id']} ke {found['b']['id']}, {place}", style="bold")
    screen.print(f"{number(total['changed'])} dari {number(total['villages'])} Kampung KB berpindah kelas.")
    if total["simulated"]:
        screen.print(f"{SIMULATED}: {number(total['simulated'])} memakai data simulasi.", style="bold magenta")
    moves = table("Dari", "Menjadi", "Kampung KB", numbers=("Kampung KB",))
    for one in total["transitions"]:
        moves.add_row(class_name(one["from"]), class_name(one["to"]), number(one["villages"]))
    show_table(screen, "Perpindahan kelas", moves)
    parts = table("Kode", "Wilayah", "Kampung KB", "Berpindah", numbers=("Kampung KB", "Berpindah"))
    for one in found["items"]:
        parts.add_row(one["region_code"], one["region_name"] or "", number(one["villages"]), number(one["changed"]))
    show_table(screen, "Per wilayah", parts)
    columns = ("Skor berbeda", "Di antaranya berpindah kelas", "Sendirian menyebabkannya")
    indicators = table("Indikator", *columns, numbers=columns)
    for one in (one for one in found["indicators"] if one["differs"]):
        figures = (one["differs"], one["differs_where_changed"], one["decided_alone"])
        indicators.add_row(one["labels"]["id"], *map(number, figures))
    show_table(screen, "Indikator", indicators)
    if found["decided_by_none"]:
        screen.print(f"Pada {number(found['decided_by_none'])} Kampung KB tidak ada satu indikator pun yang sendirian.")
