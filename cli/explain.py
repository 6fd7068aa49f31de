"""`kkb explain`: why a village has its class."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.client import segment
from cli.options import AsJson
from cli.screen import console, decimal, number, show_json, show_table, table
from cli.words import NOT_ASSESSABLE, REPORTS, SIMULATED


def explain_village(
    ctx: typer.Context,
    village: Annotated[str, typer.Argument(help="Id Kampung KB, atau kode desa/kelurahannya", show_default=False)],
    ruleset: Annotated[str | None, typer.Option("--ruleset", help="Menurut aturan ini, bukan yang berlaku")] = None,
    as_json: AsJson = False,
) -> None:
    """Kelas suatu Kampung KB dan alasannya: setiap skor dengan angka, rumus, sumber, dan yang belum dilaporkan."""
    found = gateway_of(ctx).get(f"/assessments/{segment(village)}", ruleset=ruleset)
    if as_json:
        show_json(found)
        return
    screen = console()
    _village(screen, found)
    _indexes(screen, found)
    for dimension in found["dimensions"]:
        _scores(screen, dimension, found)
    _readiness(screen, found)
    _not_reported(screen, found)
    _reports(screen, found)


def _village(screen: Console, found: dict[str, Any]) -> None:
    village, ruleset = found["village"], found["ruleset"]
    names, done = village["region_names"], found["completeness"]
    if found["simulated"]:
        screen.print(f"{SIMULATED}: penilaian ini memakai data simulasi.", style="bold magenta")
    screen.print(f"{village['name'] or names['village']} ({village['region_code']})", style="bold")
    screen.print(f"{names['village']}, {names['district']}, {names['regency']}, {names['province']}")
    screen.print(f"Kelas: {_class(found)}", style="bold")
    if found["version"] is None:
        screen.print("Dihitung menurut aturan lain daripada yang berlaku; tidak disimpan.", style="bold magenta")
    screen.print(f"Menurut {ruleset['labels']['id']} ({ruleset['id']}). {ruleset['legal_basis']['id']}.")
    screen.print(
        f"Kelengkapan: {number(done['answered'])} dari {number(done['asked'])} isian dilaporkan "
        f"({decimal(done['percent'], '%')}). Yang belum dilaporkan bukan berarti tidak ada."
    )


def _class(found: dict[str, Any]) -> str:
    """What the class is called, and what the village's own region calls it."""
    if found["class_labels"] is None:
        return NOT_ASSESSABLE.upper()
    local = found["local_class_labels"]
    name = str(found["class_labels"]["id"]).upper()
    return name if local is None else f"{name} (di wilayah ini: {local['id']})"


def _indexes(screen: Console, found: dict[str, Any]) -> None:
    shown = table("Dimensi", "Indeks", "Ambang", "Terpenuhi", numbers=("Indeks", "Ambang"))
    for one in found["dimensions"]:
        met = "ya" if one["met"] else "belum"
        shown.add_row(one["labels"]["id"], decimal(one["index"]), decimal(one["threshold"]), met)
    show_table(screen, "Indeks", shown)


def _scores(screen: Console, dimension: dict[str, Any], found: dict[str, Any]) -> None:
    columns = ("Indikator", "Skor", "Nilai", "Mengapa")
    shown = table(*columns, numbers=("Skor", "Nilai"))
    for one in found["indicators"]:
        if one["dimension"] == dimension["code"]:
            score = "-" if one["score"] is None else str(one["score"])
            shown.add_row(one["labels"]["id"], score, _with_unit(one), "\n".join(_why(one)))
            shown.add_section()
    show_table(screen, f"Skor {dimension['labels']['id']}", shown)


def _why(indicator: dict[str, Any]) -> list[str]:
    lines = [indicator["formula"]]
    if indicator["band"]:
        lines.append(f"Skor {indicator['score']} berlaku untuk {indicator['band']['text']}")
    if indicator["next_band"]:
        lines.append(f"Berikutnya: {indicator['next_band']['text']}")
    if blanks := _blanks(indicator):
        lines.append(f"Belum dilaporkan: {blanks}")
    if sources := _sources(indicator):
        lines.append(f"Sumber: {sources}")
    return lines


def _with_unit(indicator: dict[str, Any]) -> str:
    if indicator["value"] is None:
        return "-"
    unit = indicator["unit"]["id"]
    return decimal(indicator["value"], unit if unit == "%" else f" {unit}")


def _blanks(indicator: dict[str, Any]) -> str:
    labels = {used["input"]: used["labels"]["id"] for used in indicator["inputs"]}
    return ", ".join(labels.get(path, path) for path in indicator["not_reported"])


def _sources(indicator: dict[str, Any]) -> str:
    """Each report once; interventions have no report."""
    reports = (used["report"] for used in indicator["inputs"] if used["report"])
    return ", ".join(dict.fromkeys(_source(report) for report in reports))


def _source(report: dict[str, Any]) -> str:
    text = f"{report['source_system']} {report['period']}"
    if report["revision"] > 1:
        text += f" revisi {report['revision']}"
    return f"{text} [{SIMULATED}]" if report["simulated"] else text


def _readiness(screen: Console, found: dict[str, Any]) -> None:
    """What is shown beside the score."""
    if found["readiness"]:
        shown = table("Kesiapan", "Keadaan")
        for one in found["readiness"]:
            state = "belum dilaporkan" if one["ready"] is None else "ada" if one["ready"] else "belum ada"
            shown.add_row(one["labels"]["id"], state)
        show_table(screen, "Kesiapan (tidak dinilai)", shown)


def _not_reported(screen: Console, found: dict[str, Any]) -> None:
    if found["without_reports"]:
        screen.print("Belum ada laporan apa pun dari Kampung KB ini.", style="yellow")
    elif found["not_reported"]:
        blanks = ", ".join(one["labels"]["id"] for one in found["not_reported"])
        screen.print(f"Belum dilaporkan ({len(found['not_reported'])}): {blanks}.", style="yellow")


def _reports(screen: Console, found: dict[str, Any]) -> None:
    shown = table("Jenis", "Bulan terbaru", "Umur", "Laporan")
    for kind in found["reports"]:
        age = "-" if kind["age_months"] is None else f"{number(kind['age_months'])} bulan"
        if kind["too_old"]:
            age += f" (terlalu lama, paling lama {number(kind['max_age_months'])} bulan)"
        used = ", ".join(_source(report) for report in kind["reports"])
        shown.add_row(
            REPORTS.get(kind["kind"], kind["kind"]), kind["newest_period"] or "belum pernah", age, used or "-"
        )
    show_table(screen, "Laporan yang dipakai", shown)
    done = found["interventions"]
    text = f"Intervensi: {number(done['count'])} kegiatan oleh {number(done['actors'])} macam pelaksana"
    text += f", terakhir {done['newest']}" if done["newest"] else ""
    text += f"; {number(done['simulated'])} di antaranya {SIMULATED}" if done["simulated"] else ""
    screen.print(f"{text}.")
