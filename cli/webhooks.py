"""`kkb webhooks`: events that are sent to an address of yours."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import DELIVERY_STATES, WEBHOOK_OUTCOMES, WEBHOOK_REASONS, WEBHOOK_STATES

app = typer.Typer(help="Webhook: peristiwa dikirim ke alamat Anda.", no_args_is_help=True)

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.3


class Missed(StrEnum):
    """What becomes of events that waited."""

    DELIVER = "deliver"
    SKIP = "skip"


Id = Annotated[str, typer.Argument(help="Id webhook, seperti tampak pada `list`", show_default=False)]


@app.command("list")
def list_webhooks(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="active, paused, atau ended")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Webhook Anda, yang terlama dahulu; administrator juga melihat yang lain di wilayahnya."""
    found, more = gateway_of(ctx).items("/webhooks", limit, state=state)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Nama", "Alamat", "Peristiwa", "Wilayah", "Keadaan", "Gagal", "Terkirim", numbers=("Gagal",))
    for one in found:
        shown.add_row(
            one["id"],
            one["name"],
            one["url"],
            ", ".join(one["types"] or ["semua"]),
            one["region"] or "Indonesia",
            _state(one),
            number(one["failures"]),
            moment(one["delivered_at"]),
            style=None if one["state"] == "active" and not one["failures"] else "yellow",
        )
    show_table(console(), "Webhook", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("add")
def add_webhook(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="Alamat penerima, https://...", show_default=False)],
    name: Annotated[str, typer.Option(help="Untuk apa webhook ini")],
    event: Annotated[
        list[str] | None, typer.Option("--type", help="Jenis peristiwa, seperti village-classified; tanpa ini semua")
    ] = None,
    region: Region = None,
    since: Annotated[
        list[str] | None, typer.Option(help="Mulai dari batas bacaan: LAYANAN=next_since; tanpa ini mulai sekarang")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Daftarkan alamat penerima. Rahasianya hanya diperlihatkan satu kali."""
    places = dict(_named(one) for one in since or [])
    draft = {"name": name, "url": url, "types": event or None, "region": region, "since": places}
    made = gateway_of(ctx).post("/webhooks", draft)
    if made["secret"] is None:
        raise Failure(
            f"Webhook {made['id']} sudah didaftarkan, tetapi jawabannya hilang di jalan. Ganti rahasianya: "
            f"`kkb webhooks rotate {made['id']} --overlap 0`."
        )
    _show_secret(
        made, f"Webhook {made['id']} didaftarkan untuk {made['region'] or 'seluruh Indonesia'}.", as_json=as_json
    )


@app.command("pause")
def pause_webhook(ctx: typer.Context, webhook: Id) -> None:
    """Jangan kirim dahulu; peristiwa menunggu, paling lama 30 hari."""
    gateway_of(ctx).post(f"/webhooks/{segment(webhook)}/pause")
    console().print(f"Webhook {webhook} dijeda.")


@app.command("resume")
def resume_webhook(
    ctx: typer.Context,
    webhook: Id,
    missed: Annotated[Missed, typer.Option(help="Yang terlewat: deliver (kirim dahulu) atau skip (lewati)")],
) -> None:
    """Kirim lagi."""
    gateway_of(ctx).post(f"/webhooks/{segment(webhook)}/resumption", {"missed": missed.value})
    told = "yang terlewat dikirim dahulu" if missed is Missed.DELIVER else "yang terlewat tidak dikirim"
    console().print(f"Webhook {webhook} aktif lagi; {told}.")


@app.command("ping")
def ping_webhook(ctx: typer.Context, webhook: Id) -> None:
    """Kirim pesan uji satu kali dan tunggu hasilnya. Kode keluar 1 bila tidak diterima."""
    gateway = gateway_of(ctx)
    delivery = _ended(gateway, webhook, gateway.post(f"/webhooks/{segment(webhook)}/ping"))
    if delivery["state"] == "waiting":
        raise Failure("Pesan uji belum terkirim; lihat hasilnya nanti dengan `kkb webhooks log`.")
    _show_attempts(console(), delivery)
    if delivery["state"] != "delivered":
        raise Failure("Pesan uji tidak diterima.")


@app.command("log")
def show_log(
    ctx: typer.Context,
    webhook: Id,
    delivery: Annotated[int | None, typer.Argument(min=1, help="Nomor pengiriman", show_default=False)] = None,
    state: Annotated[str | None, typer.Option(help="waiting, delivered, given_up, atau skipped")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Catatan pengiriman 30 hari terakhir, yang terbaru dahulu; dengan nomor: isi dan setiap percobaan."""
    gateway, path = gateway_of(ctx), f"/webhooks/{segment(webhook)}/deliveries"
    if delivery is not None:
        _show_delivery(gateway.get(f"{path}/{delivery}"), as_json=as_json)
        return
    found, more = gateway.items(path, limit, state=state)
    if as_json:
        show_json(found)
        return
    columns = ("Nomor", "Peristiwa", "Wilayah", "Dicatat", "Keadaan", "Percobaan", "Dicoba lagi")
    shown = table(*columns, numbers=("Nomor", "Percobaan"))
    for one in found:
        shown.add_row(
            str(one["id"]),
            one["type"].removeprefix("id.kampungkb."),
            one["region_code"] or "-",
            moment(one["logged_at"]),
            DELIVERY_STATES[one["state"]],
            number(one["attempts"]),
            moment(one["due_at"]),
        )
    show_table(console(), "Pengiriman", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("redeliver")
def redeliver(
    ctx: typer.Context,
    webhook: Id,
    delivery: Annotated[int | None, typer.Argument(min=1, help="Nomor pengiriman", show_default=False)] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Dicatat sejak, seperti 2026-08-17T00:00:00+07:00")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Dicatat sebelum")] = None,
    every: Annotated[bool, typer.Option("--all", help="Juga yang sudah diterima")] = False,
) -> None:
    """Kirim lagi satu pesan, atau semua dari suatu rentang waktu."""
    gateway, path = gateway_of(ctx), f"/webhooks/{segment(webhook)}"
    if (delivery is None) is (start is None or end is None):
        raise Failure("Sebutkan salah satu: nomor pengiriman, atau --from beserta --to.")
    if delivery is not None:
        gateway.post(f"{path}/deliveries/{delivery}/redelivery")
        console().print(f"Pengiriman {delivery} dikirim lagi.")
        return
    asked = {"start": start, "end": end, "which": "all" if every else "undelivered"}
    found = gateway.post(f"{path}/redelivery", asked)
    console().print(f"Dikirim lagi: {number(found['deliveries'])}.")


@app.command("rotate")
def rotate_secret(
    ctx: typer.Context,
    webhook: Id,
    overlap: Annotated[
        int, typer.Option(min=0, max=168, help="Sekian jam rahasia lama masih ikut menandatangani")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Ganti rahasia. Selama rahasia lama masih berlaku, pesan bertanda tangan dua."""
    gateway, path = gateway_of(ctx), f"/webhooks/{segment(webhook)}"
    version = gateway.get(path)["version"]
    made = gateway.post(f"{path}/rotation", {"overlap_hours": overlap}, if_match=f'"{version}"')
    until = made["previous_secret_until"]
    told = f"yang lama berlaku sampai {moment(until)}" if until else "yang lama tidak berlaku lagi"
    _show_secret(made, f"Rahasia webhook {webhook} diganti; {told}.", as_json=as_json)


@app.command("delete")
def delete_webhook(ctx: typer.Context, webhook: Id) -> None:
    """Hapus webhook beserta catatannya."""
    gateway_of(ctx).delete(f"/webhooks/{segment(webhook)}")
    console().print(f"Webhook {webhook} dihapus.")


def _named(text: str) -> tuple[str, str]:
    service, sign, place = text.partition("=")
    if not sign:
        raise Failure("--since ditulis LAYANAN=next_since, seperti registry=WyJy...")
    return service, place


def _state(one: dict[str, Any]) -> str:
    reason = f" ({WEBHOOK_REASONS[one['reason']]})" if one["reason"] else ""
    return WEBHOOK_STATES[one["state"]] + reason


def _show_secret(made: dict[str, Any], told: str, *, as_json: bool) -> None:
    if as_json:
        show_json(made)
        return
    console().print(f"{told} Simpan rahasianya; tidak diperlihatkan lagi:")
    console().print(made["secret"], soft_wrap=True)


def _ended(gateway: Gateway, webhook: str, delivery: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + _WAIT_SECONDS
    while delivery["state"] == "waiting" and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
        delivery = gateway.get(f"/webhooks/{segment(webhook)}/deliveries/{delivery['id']}")
    return delivery


def _show_delivery(delivery: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(delivery)
        return
    screen = console()
    screen.print(f"Pengiriman {delivery['id']}: {delivery['type']}", style="bold", soft_wrap=True)
    screen.print(f"Keadaan    {DELIVERY_STATES[delivery['state']]}")
    screen.print(f"webhook-id {delivery['message_id']}")
    screen.print(f"Isi        {delivery['body']}", soft_wrap=True)
    _show_attempts(screen, delivery)


def _show_attempts(screen: Console, delivery: dict[str, Any]) -> None:
    shown = table(
        "Percobaan", "Waktu", "Hasil", "Status", "Lama (ms)", "Sebab", "Jawaban", numbers=("Percobaan", "Lama (ms)")
    )
    for one in delivery["tried"]:
        shown.add_row(
            str(one["number"]),
            moment(one["at"]),
            WEBHOOK_OUTCOMES[one["outcome"]],
            str(one["status"] or "-"),
            number(one["milliseconds"]),
            one["reason"] or "-",
            one["excerpt"] or "-",
        )
    show_table(screen, "Percobaan", shown)
