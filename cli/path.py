"""`kkb path`: the shortest way of a village to a higher class, as actions; or why there is none."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.client import segment
from cli.options import AsJson
from cli.screen import console, decimal, number, show_json, show_table, table
from cli.words import CLASSES, REPORTS, SIMULATED


def show_path(
    ctx: typer.Context,
    village: Annotated[str, typer.Argument(help="Id Kampung KB, atau kode desa/kelurahannya", show_default=False)],
    to: Annotated[
        str | None, typer.Option("--to", help="Kelas yang dituju: berkembang, mandiri, ...; tanpa ini kelas berikutnya")
    ] = None,
    ruleset: Annotated[str | None, typer.Option("--ruleset", help="Menurut aturan ini, bukan yang berlaku")] = None,
    as_json: AsJson = False,
) -> None:
    """Jalan terpendek suatu Kampung KB ke kelas yang lebih tinggi: apa yang dikerjakan, dan siapa yang dapat membantu."""
    found = gateway_of(ctx).get(f"/assessments/{segment(village)}/path", to=to, ruleset=ruleset)
    if as_json:
        show_json(found)
        return
    screen = console()
    _heading(screen, found)
    if found["status"] == "found":
        _actions(screen, found)
        _outcome(screen, found)


def _heading(screen: Console, found: dict[str, Any]) -> None:
    village = found["village"]
    if found["simulated"]:
        screen.print(f"{SIMULATED}: Kampung KB ini memakai data simulasi.", style="bold magenta")
    screen.print(f"{village['name'] or village['region_names']['village']} ({village['region_code']})", style="bold")
    screen.print(found["text"]["id"], style="bold")
    screen.print(f"Menurut {found['ruleset']['labels']['id']} ({found['ruleset']['id']}).")


def _actions(screen: Console, found: dict[str, Any]) -> None:
    shown = table("Indikator", "Skor", "Menjadi", "Yang perlu dikerjakan", numbers=("Skor", "Menjadi"))
    for one in found["actions"]:
        shown.add_row(one["labels"]["id"], _score(one["score_now"]), _score(one["score_then"]), "\n".join(_what(one)))
        shown.add_section()
    show_table(screen, "Jalan terpendek", shown)
    if found["reports"]:
        names = ", ".join(REPORTS.get(kind, kind).lower() for kind in found["reports"])
        screen.print(f"Laporan yang perlu dibuat: {names}.", style="yellow")
    if not found["proven"]:
        screen.print("Mungkin ada jalan yang lebih pendek: tidak semua gabungan dicoba.", style="yellow")


def _what(action: dict[str, Any]) -> list[str]:
    lines = [action["text"]["id"]]
    if action["value_needed"] is not None:
        unit = action["unit"]["id"]
        suffix = unit if unit == "%" else f" {unit}"
        now = "belum ada" if action["value_now"] is None else decimal(action["value_now"], suffix)
        lines.append(f"Nilai sekarang {now}; yang perlu {decimal(action['value_needed'], suffix)}")
    if any(change["assumed"] for change in action["changes"]):
        lines.append("Yang belum dilaporkan diandaikan; angka sebenarnya belum diketahui")
    if action["kegiatan"]:
        lines.append(f"Kegiatan Inpres: {', '.join(action['kegiatan'])}")
    if action["actors"]:
        lines.append(f"Yang dapat membantu: {', '.join(action['actors'])}")
    return lines


def _outcome(screen: Console, found: dict[str, Any]) -> None:
    then = found["then"]
    indexes = ", ".join(f"{code} {decimal(index)}" for code, index in then["indexes"].items())
    screen.print(f"Dengan itu: {CLASSES.get(then['class'], then['class']).upper()} ({indexes}).", style="bold")
    effects = [
        f"{one['labels']['id']} {_score(one['score_now'])} menjadi {_score(one['score_then'])}"
        for one in found["side_effects"]
    ]
    if effects:
        screen.print(f"Ikut berubah: {'; '.join(effects)}.")
    screen.print(
        f"Langkah skor {number(found['steps'])}, upaya {decimal(found['effort'])}. Ini andai-andai, bukan penilaian; "
        "kegiatan dan instansi adalah usulan platform, bukan daftar resmi."
    )


def _score(score: int | None) -> str:
    return "-" if score is None else str(score)
