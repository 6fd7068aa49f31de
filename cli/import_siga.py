"""`kkb import siga`: hand over a folder of SIGA's tables as they are, wait, and say what became of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.import_summary import show_summary
from cli.options import AsJson
from cli.screen import console, show_json
from cli.words import IMPORT_STATES

app = typer.Typer(help="Serahkan tabel dari sistem lain apa adanya.", no_args_is_help=True)

_ENDINGS = (".csv", ".csv.gz", ".gz")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
"""Names that the platform takes for a table."""

_POLL_SECONDS = 0.5
_UNDER_WAY = frozenset({"open", "queued", "running"})


@app.callback()
def formats() -> None:
    """Serahkan tabel dari sistem lain apa adanya."""


@app.command("siga")
def import_siga(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Argument(help="Folder berisi tabel SIGA (csv, csv.gz)", show_default=False)],
    province: Annotated[str, typer.Option(help="Kode wilayah tabel: provinsi (76), atau kabupaten/kota (76.02)")],
    year: Annotated[int, typer.Option(help="Tahun tabel; SIGA hanya menulis nama bulannya")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Kerjakan semuanya, tetapi jangan simpan")] = False,
    as_json: AsJson = False,
) -> None:
    """Impor tabel SIGA: dikenali dari kolomnya, nama wilayah dicocokkan tanpa menebak, hasilnya diringkas."""
    files = _files(directory)
    gateway = gateway_of(ctx)
    say = console(stderr=as_json).print  # with --json the output is the answer alone
    draft = {"format": "siga", "region": province, "year": year, "dry_run": dry_run, "note": directory.resolve().name}
    number_of_import = gateway.post("/imports", draft)["id"]
    say(f"Impor {number_of_import} dibuka{' (uji coba, tidak menyimpan)' if dry_run else ''}: {len(files)} berkas.")
    path = f"/imports/{segment(number_of_import)}"
    recognised = [_upload(gateway, path, file, say) for file in files]
    if not any(recognised):
        raise Failure("Tidak satu pun berkas dikenali sebagai tabel SIGA; impor tidak dijalankan.")
    gateway.post(f"{path}/start")
    done = _wait(gateway, path, number_of_import)
    if done["state"] == "failed":
        raise Failure(f"Impor {number_of_import} gagal: {done['failure']}")
    if as_json:
        show_json(done["summary"])
    else:
        show_summary(done)


def _files(directory: Path) -> list[Path]:
    """The tables of a folder, by name.

    Raises:
        Failure: there is no such folder, no table in it, or a name the platform does not take.
    """
    if not directory.is_dir():
        raise Failure(f"{directory} bukan folder.")
    files = sorted(file for file in directory.iterdir() if file.is_file() and file.name.lower().endswith(_ENDINGS))
    if not files:
        raise Failure(f"Tidak ada berkas csv, csv.gz, atau gz di {directory}.")
    for file in files:
        if not _NAME.fullmatch(file.name):
            raise Failure(
                f"Nama berkas {file.name!r} tidak dapat dipakai: ganti namanya dengan huruf, angka, titik, spasi, _ atau -."
            )
    return files


def _upload(gateway: Gateway, path: str, file: Path, say: Callable[[str], None]) -> bool:
    """Upload one table; whether it was recognised."""
    media_type = "application/gzip" if file.name.lower().endswith(".gz") else "text/csv"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} tidak dapat dibaca: {error.strerror}.") from error
    table: dict[str, Any] = gateway.put(f"{path}/tables/{segment(file.name)}", content, media_type)
    if table["problem"] is None:
        say(f"  {file.name}: dikenali sebagai {table['kind']}")
    else:
        say(f"  {file.name}: TIDAK dikenali - {table['detail'] or table['problem']}")
    return table["kind"] is not None


def _wait(gateway: Gateway, path: str, number_of_import: str) -> dict[str, Any]:
    """The import once it has ended; shows how far it is until then."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("baris"),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=console(stderr=True), transient=True) as bar:
            task = bar.add_task(IMPORT_STATES["queued"], total=None)
            while True:
                found: dict[str, Any] = gateway.get(path)
                progress = found["progress"]
                total = progress["rows_total"] or None
                state = IMPORT_STATES.get(found["state"], found["state"])
                bar.update(task, description=state, completed=progress["rows_done"], total=total)
                if found["state"] not in _UNDER_WAY:
                    return found
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        raise Failure(
            f"Impor tetap berjalan di server; lihat nanti dengan `kkb imports show {number_of_import}`."
        ) from None
