"""The summary of an import as a person reads it: nothing that was not stored stays unsaid."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from cli.screen import console, decimal, number, show_table, table
from cli.words import HOW_SETTLED, REPORTS, ROW_STATUSES

_COUPLES, _UNMET = "population.pus", "family_planning.unmet_need"


def show_summary(done: dict[str, Any]) -> None:
    """Print the summary of an import that is done."""
    screen, summary = console(), done["summary"]
    if done["dry_run"]:
        screen.print(
            "UJI COBA: tidak ada yang disimpan; angka di bawah adalah yang akan disimpan.", style="bold yellow"
        )
    _tables(screen, summary)
    _reasons(screen, summary)
    _totals(screen, summary["totals"])
    _names(screen, summary["names"])
    _reports(screen, done["region"], summary)
    _columns_not_used(screen, summary["tables"])
    _last_line(screen, done["id"], summary)


def _tables(screen: Console, summary: dict[str, Any]) -> None:
    counts = ("Dibaca", *(words.capitalize() for words in ROW_STATUSES.values()))
    shown = table("Berkas", "Dikenali sebagai", *counts, numbers=counts)
    for one in summary["tables"]:
        # A table that could not be read has no rows; why stands where its name would.
        recognised = one["kind"] or f"TIDAK: {one['detail'] or one['problem']}"
        shown.add_row(one["name"], recognised, *_row_counts(one["rows"]))
    shown.add_section()
    shown.add_row("Jumlah", "", *_row_counts(summary["rows"]), style="bold")
    show_table(screen, "Baris per tabel", shown)


def _row_counts(rows: dict[str, int]) -> list[str]:
    return [number(rows["read"]), *(number(rows[status]) for status in ROW_STATUSES)]


def _reasons(screen: Console, summary: dict[str, Any]) -> None:
    shown = table("Berkas", "Hasil", "Baris", "Alasan", "Contoh", numbers=("Baris",))
    for one in summary["tables"]:
        for reason in one["reasons"]:
            shown.add_row(
                one["name"],
                ROW_STATUSES.get(reason["status"], reason["status"]),
                number(reason["rows"]),
                reason["reason"],
                reason["example"] or "",
                style="red" if reason["status"] == "rejected" else None,
            )
    if shown.row_count:
        show_table(screen, "Mengapa baris ditolak atau dilewati", shown)


def _totals(screen: Console, totals: list[dict[str, Any]]) -> None:
    columns = ("PUS", "Unmet need", "% dari PUS")
    shown = table("Bulan", *columns, numbers=columns)
    for month in totals:
        couples, unmet = month["counts"].get(_COUPLES), month["counts"].get(_UNMET)
        percent = f"{100 * unmet / couples:.2f}" if couples and unmet is not None else None
        if couples is not None or unmet is not None:
            shown.add_row(month["period"], number(couples), number(unmet), decimal(percent, "%"))
    if shown.row_count:
        show_table(screen, "Jumlah kendali per bulan, atas semua baris yang dibaca", shown)
    screen.print()


def _names(screen: Console, names: dict[str, Any]) -> None:
    screen.print(
        f"Nama wilayah: {number(names['villages_resolved'])} desa/kelurahan ditemukan, "
        f"{number(names['unresolved_names'])} nama tidak ditemukan."
    )
    if names["aliases"]:
        shown = table("Tertulis", "Berarti", "Dipastikan oleh", "Ingatan")
        for alias in names["aliases"]:
            how = HOW_SETTLED.get(alias["how"], alias["how"])
            shown.add_row(
                _written(alias), alias["region_code"], how, "sudah diingat" if alias["remembered"] else "baru"
            )
        show_table(screen, "Nama yang ditulis lain dari daftar resmi", shown)
    if names["unresolved"]:
        shown = table("Tertulis", "KODE", "Baris", "Mengapa", numbers=("Baris",))
        for place in names["unresolved"]:
            shown.add_row(_written(place), place["kode"] or "-", number(place["rows"]), place["detail"], style="red")
        show_table(screen, "Nama yang tidak ditemukan", shown)


def _written(place: dict[str, Any]) -> str:
    return " / ".join(place[level] or "(kosong)" for level in ("regency", "district", "village"))


def _reports(screen: Console, region: str, summary: dict[str, Any]) -> None:
    villages = summary["villages"]
    screen.print(
        f"Kampung KB: {number(villages['announced'])} disebut tabel di {number(villages['announced_villages'])} "
        f"desa/kelurahan; {number(villages['registered'])} didaftarkan, "
        f"{number(villages['already_registered'])} sudah terdaftar."
    )
    columns = ("Baru", "Direvisi", "Tidak berubah")
    shown = table("Jenis", *columns, numbers=columns)
    for kind, counts in summary["reports"].items():
        cells = (number(counts[outcome]) for outcome in ("new", "revised", "unchanged"))
        shown.add_row(REPORTS.get(kind, kind), *cells)
    show_table(screen, "Laporan", shown)
    screen.print(f"Temuan baru: {number(summary['findings_opened'])} (kkb findings --region {region}).")


def _columns_not_used(screen: Console, tables: list[dict[str, Any]]) -> None:
    shown = table("Berkas", "Kolom")
    for one in tables:
        if one["columns_not_used"]:
            shown.add_row(one["name"], ", ".join(one["columns_not_used"]))
    if shown.row_count:
        show_table(screen, "Kolom yang isinya tidak dipakai", shown)


def _last_line(screen: Console, number_of_import: str, summary: dict[str, Any]) -> None:
    rejected = summary["rows"]["rejected"]
    unread = [one["name"] for one in summary["tables"] if one["problem"]]
    if unread:
        screen.print(f"PERHATIAN: {len(unread)} berkas tidak terbaca: {', '.join(unread)}.", style="bold red")
    if rejected:
        screen.print(
            f"PERHATIAN: {number(rejected)} baris DITOLAK dan tidak disimpan; rinciannya: "
            f"kkb imports rows {number_of_import} --status rejected",
            style="bold red",
            soft_wrap=True,
        )
    else:
        screen.print(f"Impor {number_of_import} selesai; tidak ada baris yang ditolak.", style="green")
