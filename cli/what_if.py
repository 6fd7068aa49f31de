"""`kkb what-if`: what a village would be classed as if some facts were different; nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.client import segment
from cli.failures import Failure
from cli.options import AsJson
from cli.screen import console, decimal, show_json, show_table, table
from cli.words import SIMULATED, class_name

_ANSWERS = {"ya": True, "tidak": False, "kosong": None}
_NOTHING = "tidak-ada"


def ask_what_if(
    ctx: typer.Context,
    village: Annotated[str, typer.Argument(help="Id Kampung KB, atau kode desa/kelurahannya", show_default=False)],
    fact: Annotated[
        list[str] | None,
        typer.Option(
            "--fact",
            help="Fakta yang diandaikan, boleh berulang: profile.secretariat=ya, population.pus=120, "
            f"profile.funding_sources=apbn,apbd; kosong = tidak dilaporkan, {_NOTHING} = dilaporkan tidak ada",
        ),
    ] = None,
    intervention: Annotated[
        list[str] | None,
        typer.Option("--intervention", help="Intervensi yang direncanakan, dengan pelaksananya: dinas-kesehatan,media"),
    ] = None,
    ruleset: Annotated[str | None, typer.Option("--ruleset", help="Menurut aturan ini, bukan yang berlaku")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Pada hari ini (2026-01-31), untuk aturan yang memandang waktu")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Andai-andai: kelas suatu Kampung KB bila sebagian faktanya lain, dan indikator mana penyebabnya. Tidak disimpan."""
    body = {
        "facts": _facts(fact or []),
        "interventions": [{"actors": one.split(",")} for one in intervention or []],
        "ruleset": ruleset,
        "as_of": as_of,
    }
    found = gateway_of(ctx).post(f"/assessments/{segment(village)}/what-if", body)
    if as_json:
        show_json(found)
        return
    screen = console()
    _outcome(screen, found)
    _changes(screen, found)
    if found["not_asked"]:
        screen.print(f"Tidak diperhitungkan aturan ini: {', '.join(found['not_asked'])}.", style="yellow")


class _Twice(Failure):
    """One fact is supposed to be two things."""

    def __init__(self, pair: str) -> None:
        super().__init__(f"Fakta ini diandaikan dua kali: {pair}")


def _facts(pairs: list[str]) -> dict[str, Any]:
    """Nested facts out of `path=value`."""
    facts: dict[str, Any] = {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        *groups, name = path.strip().split(".")
        if not equals:
            raise Failure(f"Tulis fakta sebagai laporan.isian=nilai, bukan: {pair}")
        inner = facts
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise _Twice(pair)
        if name in inner:
            raise _Twice(pair)
        inner[name] = _value(path, text.strip())
    return facts


def _value(path: str, text: str) -> Any:
    if text in _ANSWERS:
        return _ANSWERS[text]
    if text.isdecimal():
        return int(text)
    if text == _NOTHING:
        return []
    if not text:
        raise Failure(f"Nilai {path} belum disebut: ya, tidak, kosong, {_NOTHING}, angka, atau pilihan berpisah koma.")
    return text.split(",")


def _outcome(screen: Console, found: dict[str, Any]) -> None:
    village, before, after = found["village"], found["before"], found["after"]
    screen.print("ANDAI-ANDAI: bukan penilaian, dan tidak disimpan.", style="bold magenta")
    if found["simulated"]:
        screen.print(f"{SIMULATED}: Kampung KB ini memakai data simulasi.", style="bold magenta")
    screen.print(f"{village['name'] or village['region_names']['village']} ({village['region_code']})", style="bold")
    screen.print(f"Kelas: {_class(before)} menjadi {_class(after)}", style="bold")
    screen.print(f"Menurut {found['ruleset']['labels']['id']} ({found['ruleset']['id']}).")
    shown = table("Dimensi", "Sekarang", "Andai", numbers=("Sekarang", "Andai"))
    for code, index in before["indexes"].items():
        shown.add_row(code.capitalize(), decimal(index), decimal(after["indexes"][code]))
    show_table(screen, "Indeks", shown)


def _class(side: dict[str, Any]) -> str:
    return class_name(side["class"]).upper()


def _changes(screen: Console, found: dict[str, Any]) -> None:
    if not found["indicators"]:
        screen.print("Tidak ada indikator yang berubah.")
        return
    shown = table("Indikator", "Skor", "Andai", "Mengapa", numbers=("Skor", "Andai"))
    for one in found["indicators"]:
        scores = (_score(one["before"]), _score(one["after"]))
        shown.add_row(one["labels"]["id"], *scores, one["after"]["formula"])
        shown.add_section()
    show_table(screen, "Yang berubah", shown)


def _score(side: dict[str, Any]) -> str:
    return "-" if side["score"] is None else str(side["score"])
