"""`kkb rebuild` and `kkb re-emit`: have a service's projection made anew, have an owner tell its state again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.jobs import wait_for
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import REBUILD_FAILURES, REBUILD_SOURCES, REBUILD_STATES

app = typer.Typer(help="Bangun ulang proyeksi suatu layanan dari peristiwa.", no_args_is_help=True)

_OWNERS = {"scoring": ("registry", "interventions"), "interventions": ("registry",)}
"""Whose events each service with a projection follows."""
_OF_RE_EMISSION = ("service", "region", "feed_id", "events", "first_position", "last_position", "started_at")


class Owner(StrEnum):
    """Services that own facts."""

    REGISTRY = "registry"
    INTERVENTIONS = "interventions"


class Service(StrEnum):
    """Services that have a projection."""

    SCORING = "scoring"
    INTERVENTIONS = "interventions"


FromEvents = Annotated[bool, typer.Option("--from-events", help="Dari semua peristiwa yang tersimpan di aliran NATS")]
FromServices = Annotated[
    bool, typer.Option("--from-services", help="Dari keadaan sekarang, yang diumumkan ulang oleh pemiliknya")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Hanya katakan apa yang akan berubah")]
Reason = Annotated[str, typer.Option(help="Mengapa; tetap tersimpan")]


@app.command("scoring")
def rebuild_scoring(
    ctx: typer.Context,
    from_events: FromEvents = False,
    from_services: FromServices = False,
    dry_run: DryRun = False,
    reason: Reason = "kkb rebuild scoring",
    as_json: AsJson = False,
) -> None:
    """Bangun ulang Kampung KB, laporan, dan intervensi yang dipakai untuk penilaian, lalu penilaiannya."""
    _rebuild(gateway_of(ctx), Service.SCORING, _source(from_events, from_services), dry_run, reason, as_json)


@app.command("interventions")
def rebuild_interventions(
    ctx: typer.Context,
    from_events: FromEvents = False,
    from_services: FromServices = False,
    dry_run: DryRun = False,
    reason: Reason = "kkb rebuild interventions",
    as_json: AsJson = False,
) -> None:
    """Bangun ulang daftar Kampung KB yang dikenal layanan intervensi."""
    _rebuild(gateway_of(ctx), Service.INTERVENTIONS, _source(from_events, from_services), dry_run, reason, as_json)


@app.command("list")
def list_rebuilds(
    ctx: typer.Context,
    service: Annotated[Service, typer.Argument(help="Layanan", show_default=False)],
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Pembangunan ulang suatu layanan, yang terbaru dahulu."""
    found, more = gateway_of(ctx).items(_path(service), limit)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Diminta", "Sumber", "Keadaan", "Alasan")
    for job in found:
        state = REBUILD_STATES.get(job["state"], job["state"]) + (" (uji coba)" if job["dry_run"] else "")
        source = REBUILD_SOURCES.get(job["source"], job["source"])
        shown.add_row(job["id"], moment(job["requested_at"]), source, state, job["reason"])
    show_table(console(), f"Pembangunan ulang {service.value}", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("show")
def show_rebuild(
    ctx: typer.Context,
    service: Annotated[Service, typer.Argument(help="Layanan", show_default=False)],
    rebuild_id: Annotated[str, typer.Argument(help="Id pembangunan ulang", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Satu pembangunan ulang: sampai di mana, dan apa hasilnya."""
    found = gateway_of(ctx).get(f"{_path(service)}/{segment(rebuild_id)}")
    if as_json:
        show_json(found)
    else:
        _show(found)


@app.command("cancel")
def cancel_rebuild(
    ctx: typer.Context,
    service: Annotated[Service, typer.Argument(help="Layanan", show_default=False)],
    rebuild_id: Annotated[str, typer.Argument(help="Id pembangunan ulang", show_default=False)],
) -> None:
    """Hentikan pembangunan ulang yang belum menulis apa pun; layanan kembali mengolah peristiwa."""
    gateway_of(ctx).post(f"{_path(service)}/{segment(rebuild_id)}/cancel")
    console().print(f"{service.value} {rebuild_id}: dibatalkan, proyeksi tetap seperti semula.")


def re_emit(
    ctx: typer.Context,
    owner: Annotated[Owner, typer.Argument(help="Layanan pemilik data", show_default=False)],
    region: Region = None,
    reason: Reason = "kkb re-emit",
    as_json: AsJson = False,
) -> None:
    """Umumkan lagi keadaan sekarang sebagai peristiwa; yang sudah memilikinya tidak berubah."""
    done = _re_emitted(gateway_of(ctx), owner.value, reason, region)
    if as_json:
        show_json(done)
        return
    place = "tidak ada" if done["first_position"] is None else f"{done['first_position']} s.d. {done['last_position']}"
    console().print(f"{owner.value}: {number(done['events'])} peristiwa diumumkan ulang, posisi {place}.")


def _source(from_events: bool, from_services: bool) -> str:
    if from_events == from_services:
        raise Failure("Sebutkan salah satu: --from-events atau --from-services.")
    return "events" if from_events else "services"


def _rebuild(gateway: Gateway, service: Service, source: str, dry_run: bool, reason: str, as_json: bool) -> None:
    """From services the rebuild is opened first, so that the service does not act on what is told again."""
    say = console(stderr=as_json).print
    asked = {"source": source, "reason": reason, "dry_run": dry_run}
    path = f"{_path(service)}/{gateway.post(_path(service), asked)['id']}"
    say(f"Pembangunan ulang {path.rpartition('/')[2]} dibuka{' (uji coba, tidak menulis)' if dry_run else ''}.")
    if source == "services":
        with _cancelled_unless_done(gateway, path):
            told = [_re_emitted(gateway, owner, reason) for owner in _OWNERS[service.value]]
            given = {"re_emissions": [{name: one[name] for name in _OF_RE_EMISSION} for one in told]}
            gateway.put(f"{path}/re-emissions", json.dumps(given).encode(), "application/json")
    try:
        done = wait_for(gateway, path, _how_far)
    except KeyboardInterrupt:
        raise Failure(
            f"Pembangunan ulang tetap berjalan; lihat nanti: kkb rebuild show {service.value} {path.rpartition('/')[2]}"
        ) from None
    if as_json:
        show_json(done)
    else:
        _show(done)
    if done["state"] == "failed":
        written = done["tables"] is not None and not dry_run
        raise Failure(
            "Proyeksi sudah diperbaiki, tetapi penilaian belum selesai diperiksa: ulangi."
            if written
            else "Proyeksi tetap seperti semula."
        )


@contextmanager
def _cancelled_unless_done(gateway: Gateway, path: str) -> Iterator[None]:
    """Whatever ends this before its time, the service's consumers must not wait in vain."""
    try:
        yield
    except BaseException as error:
        gateway.post(f"{path}/cancel")
        if isinstance(error, KeyboardInterrupt):
            raise Failure("Dibatalkan; proyeksi tetap seperti semula.") from None
        raise


def _re_emitted(gateway: Gateway, owner: str, reason: str, region: str | None = None) -> dict[str, Any]:
    """A re-emission that is done."""
    path = f"/re-emissions/{owner}"
    started = gateway.post(path, {"reason": reason, "region": region})
    done = wait_for(gateway, f"{path}/{started['id']}", lambda job: (f"{owner} mengumumkan ulang", job["events"], None))
    if done["state"] == "failed":
        raise Failure(f"{owner} gagal mengumumkan ulang.\n  {done['failure']}")
    return done


def _how_far(job: dict[str, Any]) -> tuple[str, int, int | None]:
    if job["settled"]:
        return REBUILD_STATES["settling"], job["settled"]["checked"], None
    expected = job["events_expected"]
    total = None if expected is None else max(expected, job["events_read"])
    return REBUILD_STATES.get(job["state"], job["state"]), job["events_read"], total


def _show(job: dict[str, Any]) -> None:
    screen = console()
    trial = " (uji coba, tidak menulis)" if job["dry_run"] else ""
    screen.print(f"Pembangunan ulang {job['id']} {REBUILD_STATES.get(job['state'], job['state'])}{trial}.")
    screen.print(f"Peristiwa dibaca: {number(job['events_read'])}.")
    if job["unreadable"] or job["failing"]:
        screen.print(
            f"Ditinggalkan: {number(job['unreadable'])} tidak terbaca, {number(job['failing'])} gagal diolah; "
            "lihat kkb dead-letters list."
        )
    if job["tables"] is not None:
        shown = table("Tabel", "Ditambah", "Diubah", "Dihapus", "Dipertahankan", numbers=_COUNTED)
        for name, found in job["tables"].items():
            shown.add_row(name, *(number(found[kind]) for kind in ("added", "changed", "removed", "kept")))
        show_table(screen, "Yang akan berubah" if job["dry_run"] else "Yang diperbaiki", shown)
    for name, found in (job["tables"] or {}).items():
        if found["kept"]:
            screen.print(f"{name}: tidak didukung peristiwa tetapi masih dipakai: {', '.join(found['kept_ids'])}")
    if job["settled"]:
        counts = (number(job["settled"][kind]) for kind in ("checked", "written", "announced"))
        screen.print("Penilaian: {} diperiksa, {} diperbaiki, {} diumumkan sebagai berita.".format(*counts))
    if job["failure"]:
        screen.print(REBUILD_FAILURES.get(job["failure"], job["failure"]), style="red", soft_wrap=True)
        screen.print(f"  {job['failure_detail']}", soft_wrap=True)


_COUNTED = ("Ditambah", "Diubah", "Dihapus", "Dipertahankan")


def _path(service: Service) -> str:
    return f"/rebuilds/{service.value}"
