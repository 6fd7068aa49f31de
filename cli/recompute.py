"""`kkb recompute`: have all villages of a region assessed anew, follow that, end it, go on with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.jobs import wait_for
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import RECOMPUTATION_STATES

app = typer.Typer(help="Nilai ulang semua Kampung KB suatu wilayah dari datanya.", no_args_is_help=True)

_PATH = "/recomputations"
JobId = Annotated[str, typer.Argument(help="Id penilaian ulang", show_default=False)]


@app.command("start")
def start_recomputation(
    ctx: typer.Context,
    region: Region = None,
    since: Annotated[
        str | None, typer.Option(help="Juga setiap bulan sejak YYYY-MM", show_default="hanya keadaan sekarang")
    ] = None,
    reason: Annotated[str, typer.Option(help="Mengapa; tetap tersimpan")] = "kkb recompute",
    as_json: AsJson = False,
) -> None:
    """Nilai ulang; yang sudah benar tidak berubah. Aman diulang."""
    gateway = gateway_of(ctx)
    job = gateway.post(_PATH, {"region": region, "since": since, "reason": reason})
    _follow(gateway, job["id"], as_json)


@app.command("resume")
def resume_recomputation(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Lanjutkan penilaian ulang yang dihentikan atau gagal, dari tempat berhentinya."""
    gateway = gateway_of(ctx)
    gateway.post(f"{_PATH}/{segment(job_id)}/resume")
    _follow(gateway, job_id, as_json)


@app.command("cancel")
def cancel_recomputation(ctx: typer.Context, job_id: JobId) -> None:
    """Hentikan penilaian ulang; yang sudah dinilai tetap."""
    _show(gateway_of(ctx).post(f"{_PATH}/{segment(job_id)}/cancel"))


@app.command("show")
def show_recomputation(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """Satu penilaian ulang: sampai di mana, dan apa hasilnya."""
    found = gateway_of(ctx).get(f"{_PATH}/{segment(job_id)}")
    if as_json:
        show_json(found)
    else:
        _show(found)


@app.command("list")
def list_recomputations(ctx: typer.Context, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False) -> None:
    """Penilaian ulang, yang terbaru dahulu."""
    found, more = gateway_of(ctx).items(_PATH, limit)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Diminta", "Wilayah", "Sejak", "Keadaan", "Dinilai", "Alasan", numbers=("Dinilai",))
    for job in found:
        shown.add_row(
            job["id"],
            moment(job["requested_at"]),
            job["region"] or "Indonesia",
            job["since"] or "sekarang saja",
            RECOMPUTATION_STATES.get(job["state"], job["state"]),
            number(job["villages_done"]),
            job["reason"],
        )
    show_table(console(), "Penilaian ulang", shown)
    if more:
        console().print(more_than(len(found)))


def _follow(gateway: Gateway, job_id: str, as_json: bool) -> None:
    try:
        done = wait_for(gateway, f"{_PATH}/{segment(job_id)}", _how_far)
    except KeyboardInterrupt:
        raise Failure(f"Penilaian ulang tetap berjalan; lihat nanti: kkb recompute show {job_id}") from None
    if as_json:
        show_json(done)
    else:
        _show(done)
    if done["state"] == "failed":
        raise Failure(f"Penilaian ulang gagal; lanjutkan: kkb recompute resume {job_id}")


def _how_far(job: dict[str, Any]) -> tuple[str, int, int | None]:
    return RECOMPUTATION_STATES.get(job["state"], job["state"]), job["villages_done"], job["villages_total"]


def _show(job: dict[str, Any]) -> None:
    total = "" if job["villages_total"] is None else f" dari {number(job['villages_total'])}"
    console().print(
        f"Penilaian ulang {job['id']} {RECOMPUTATION_STATES.get(job['state'], job['state'])}: "
        f"{number(job['villages_done'])}{total} Kampung KB dinilai, {number(job['written'])} berubah, "
        f"{number(job['news'])} diumumkan."
    )
