"""`kkb dead-letters`: events that a service could not handle; look at them, requeue them, discard them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway
from cli.failures import Failure, Refused
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import EFFECTS, OUTCOMES

app = typer.Typer(help="Peristiwa tersisih: yang tidak dapat diolah oleh suatu layanan.", no_args_is_help=True)

_CONFLICT = 409
_EVERY = 1_000_000_000


class Service(StrEnum):
    """Services that consume events."""

    SCORING = "scoring"
    INTERVENTIONS = "interventions"


class Outcome(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    HANDLED = "handled"
    DISCARDED = "discarded"


ServiceOption = Annotated[Service | None, typer.Option("--service", help="Layanan; tanpa ini keduanya")]
ItsService = Annotated[Service, typer.Option("--service", help="Layanan yang menyisihkannya")]
Consumer = Annotated[str | None, typer.Option("--consumer", help="Hanya dari pengolah ini, seperti scoring-registry")]
Id = Annotated[int, typer.Argument(min=1, help="Nomor, seperti tampak pada `list`", show_default=False)]


@app.command("list")
def list_dead_letters(
    ctx: typer.Context,
    service: ServiceOption = None,
    consumer: Consumer = None,
    region: Region = None,
    outcome: Annotated[Outcome, typer.Option(help="open: belum diselesaikan")] = Outcome.OPEN,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Peristiwa tersisih, yang terbaru dahulu."""
    gateway = gateway_of(ctx)
    found: list[dict[str, Any]] = []
    cut_off = False
    for each in _services(service):
        filters = {"consumer": consumer, "region": region, "outcome": outcome.value}
        letters, more = gateway.items(_path(each), limit, **filters)
        found += [{"service": each.value, **letter} for letter in letters]
        cut_off |= more
    if as_json:
        show_json(found)
        return
    shown = table(
        *("Layanan", "Nomor", "Pengolah", "Peristiwa", "Wilayah", "Percobaan", "Gagal terakhir", "Alasan"),
        numbers=("Nomor", "Percobaan"),
    )
    for letter in found:
        shown.add_row(
            letter["service"],
            str(letter["id"]),
            letter["consumer"],
            _event(letter),
            letter["region_code"] or "-",
            number(letter["attempts"]),
            moment(letter["failed_at"]),
            letter["resolution"] or letter["reason"],
        )
    show_table(console(), f"Peristiwa tersisih ({OUTCOMES[outcome.value]})", shown)
    if cut_off:
        console().print(more_than(limit))


@app.command("show")
def show_dead_letter(ctx: typer.Context, letter_id: Id, service: ItsService, as_json: AsJson = False) -> None:
    """Satu peristiwa tersisih beserta isinya."""
    letter = gateway_of(ctx).get(f"{_path(service)}/{letter_id}")
    if as_json:
        show_json(letter)
        return
    payload = letter["payload"]
    lines = {
        "Keadaan": OUTCOMES[letter["outcome"]],
        "Pengolah": letter["consumer"],
        "Peristiwa": f"{letter['event_type'] or '-'} ({letter['event_id'] or '-'})",
        "Subjek NATS": f"{letter['subject']}, urutan {letter['stream_sequence']}",
        "Wilayah": letter["region_code"] or "-",
        "Percobaan": number(letter["attempts"]),
        "Disisihkan": moment(letter["created_at"]),
        "Gagal terakhir": moment(letter["failed_at"]),
        "Alasan": letter["reason"],
    }
    if letter["resolved_at"]:
        lines["Diselesaikan"] = f"{moment(letter['resolved_at'])} oleh {letter['resolved_by']}"
    if letter["resolution"]:
        lines["Alasan dibuang"] = letter["resolution"]
    screen = console()
    for name, value in lines.items():
        screen.print(f"{name:<15} {value}", soft_wrap=True)
    content = payload["content"]
    screen.print(f"Isi ({payload['format']}):")
    text = json.dumps(content, ensure_ascii=False, indent=2) if payload["format"] == "json" else content
    screen.print(text, soft_wrap=True)


@app.command("requeue")
def requeue_dead_letters(
    ctx: typer.Context,
    letter_id: Annotated[int | None, typer.Argument(min=1, help="Nomor", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Semua yang belum diselesaikan, yang terlama dahulu")] = False,
    service: ServiceOption = None,
    consumer: Consumer = None,
    region: Region = None,
) -> None:
    """Olah ulang sekarang juga. Setiap peristiwa berpengaruh paling banyak satu kali."""
    gateway = gateway_of(ctx)
    if every is (letter_id is not None):
        raise Failure("Sebutkan salah satu: nomor atau --all.")
    if every:
        _requeue_every(gateway, _services(service), {"consumer": consumer, "region": region})
        return
    if service is None:
        raise Failure("Sebutkan --service: nomor hanya berlaku di dalam satu layanan.")
    if consumer is not None or region is not None:
        raise Failure("--consumer dan --region hanya untuk --all.")
    effect = gateway.post(f"{_path(service)}/{letter_id}/requeue")["effect"]
    console().print(f"{service} {letter_id}: {EFFECTS[effect]}.")


def _requeue_every(gateway: Gateway, services: Iterable[Service], filters: dict[str, Any]) -> None:
    """Those that fail again are named with their reasons; what somebody else resolved meanwhile is passed over."""
    done = passed = 0
    failed: list[tuple[str, int, str]] = []
    for service in services:
        letters, _ = gateway.items(_path(service), _EVERY, **filters, outcome=Outcome.OPEN.value)
        for letter in reversed(letters):
            try:
                gateway.post(f"{_path(service)}/{letter['id']}/requeue")
                done += 1
            except Refused as refused:
                if refused.slug in {"already-resolved", "dead-letter-unknown"}:
                    passed += 1
                elif refused.status == _CONFLICT:
                    failed.append((service.value, letter["id"], refused.detail))
                else:
                    raise
    console().print(f"Diolah ulang: {number(done)}. Sudah diselesaikan orang lain: {number(passed)}.")
    if failed:
        shown = table("Layanan", "Nomor", "Alasan", numbers=("Nomor",))
        for each, letter_id, reason in failed:
            shown.add_row(each, str(letter_id), reason)
        show_table(console(), "Masih gagal", shown)
        raise Failure(f"{number(len(failed))} peristiwa masih gagal diolah.")


@app.command("discard")
def discard_dead_letter(
    ctx: typer.Context,
    letter_id: Id,
    service: ItsService,
    reason: Annotated[str, typer.Option(help="Mengapa peristiwa ini tidak perlu diolah; tetap tersimpan")],
) -> None:
    """Buang peristiwa yang memang tidak perlu diolah."""
    gateway_of(ctx).post(f"{_path(service)}/{letter_id}/discard", {"reason": reason})
    console().print(f"{service} {letter_id}: dibuang.")


def _services(service: Service | None) -> list[Service]:
    return list(Service) if service is None else [service]


def _path(service: Service) -> str:
    return f"/dead-letters/{service.value}"


def _event(letter: dict[str, Any]) -> str:
    """Without the part that all types begin with."""
    return (letter["event_type"] or "-").removeprefix("id.kampungkb.")
