"""`kkb audit`: the audit trail of the gateway."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway
from cli.failures import Failure
from cli.files import write_new
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, number, show_json, show_table, table
from cli.words import AUDIT_FAULTS, AUDIT_KINDS
from contracts.audit_chain import Break, Fault, Head, Walk

app = typer.Typer(help="Jejak audit: siapa melakukan apa, dan apakah jejaknya utuh.", no_args_is_help=True)

_PAGE = 5_000
_SHOWN_BREAKS = 50
_HEAD = re.compile(r"(\d+):([0-9a-f]{64})")


@app.command("list")
def list_entries(
    ctx: typer.Context,
    caller: Annotated[str | None, typer.Option(help="Id kunci atau akun")] = None,
    operation: Annotated[str | None, typer.Option(help="operationId menurut kontrak, seperti issue_key")] = None,
    resource: Annotated[str | None, typer.Option(help="Awal alamat, seperti /api/v1/villages/33.26.01.2001")] = None,
    region: Region = None,
    kind: Annotated[str | None, typer.Option(help="change, read, refusal, atau gap")] = None,
    status: Annotated[int | None, typer.Option(help="Status jawaban, seperti 403")] = None,
    request_id: Annotated[str | None, typer.Option(help="Nomor permintaan (X-Request-Id)")] = None,
    since: Annotated[str | None, typer.Option(help="Sejak waktu ini, seperti 2026-01-31T00:00:00+07:00")] = None,
    until: Annotated[str | None, typer.Option(help="Sebelum waktu ini")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Siapa melakukan apa, yang terbaru lebih dahulu."""
    filters = {
        "caller": caller,
        "operation": operation,
        "resource": resource,
        "region": region,
        "kind": kind,
        "status": status,
        "request_id": request_id,
        "since": since,
        "until": until,
    }
    found, more = gateway_of(ctx).items("/audit", limit, **filters)
    if as_json:
        show_json(found)
        return
    shown = table("No.", "Waktu", "Jenis", "Pemanggil", "Dari", "Permintaan", "Status", "Kali", numbers=("No.", "Kali"))
    for entry in found:
        shown.add_row(
            number(entry["number"]),
            moment(entry["at"]),
            AUDIT_KINDS.get(entry["kind"], entry["kind"]),
            entry["caller_name"] or entry["caller"] or "-",
            entry["address"] or "-",
            " ".join(filter(None, (entry["method"], entry["resource"]))) or entry["note"] or "-",
            "tidak diketahui" if entry["status"] is None else str(entry["status"]),
            number(entry["count"]),
        )
    show_table(console(), "Jejak audit", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("head")
def show_head(ctx: typer.Context) -> None:
    """Ujung jejak. Catat di luar sistem ini; kelak `verify --head` membandingkannya."""
    head = _head(gateway_of(ctx))
    console().print(f"{head.number}:{head.digest}", soft_wrap=True)


@app.command("export")
def export_entries(
    ctx: typer.Context, out: Annotated[Path, typer.Option(help="Berkas baru, satu baris JSON per catatan")]
) -> None:
    """Seluruh jejak ke dalam berkas, untuk disimpan di tempat lain."""
    gateway = gateway_of(ctx)
    lines = list(_lines(gateway, _head(gateway).number))
    write_new(out, b"".join(line + b"\n" for line in lines))
    console().print(f"{out}: {number(len(lines))} catatan.", soft_wrap=True)


@app.command("verify")
def verify_trail(
    ctx: typer.Context,
    noted: Annotated[
        str | None, typer.Option("--head", help="Ujung yang pernah dicatat (`kkb audit head`), NOMOR:SIDIK")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Periksa berkas dari `kkb audit export`, bukan jejak di gateway")
    ] = None,
) -> None:
    """Periksa apakah ada catatan yang diubah, hilang, tertukar, atau ditambahkan; kode keluar 1 jika ada."""
    walk = Walk(_noted(noted))
    breaks = _walked(walk, gateway_of(ctx)) if file is None else _walked_file(walk, file)
    if breaks:
        for one in breaks[:_SHOWN_BREAKS]:
            console().print(_sentence(one), soft_wrap=True)
        if len(breaks) > _SHOWN_BREAKS:
            console().print(f"... dan {number(len(breaks) - _SHOWN_BREAKS)} lagi.")
        raise Failure(f"Jejak audit TIDAK utuh: {number(len(breaks))} kejanggalan.")
    console().print(f"Jejak audit utuh: {number(walk.at.number)} catatan. Ujungnya, untuk dicatat di tempat lain:")
    console().print(f"{walk.at.number}:{walk.at.digest}", soft_wrap=True)


def _walked(walk: Walk, gateway: Gateway) -> list[Break]:
    head = _head(gateway)
    breaks = [one for line in _lines(gateway, head.number) for one in walk.step(_entry(line))]
    breaks += walk.end(head)
    beyond = _page(gateway, head.number)
    now = _head(gateway)  # what was recorded while we read is within the head of this moment
    if beyond and (last := _number(beyond[-1])) > now.number:
        breaks.append(Break(Fault.ADDED, now.number + 1, last))
    return breaks


def _walked_file(walk: Walk, file: Path) -> list[Break]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise Failure(f"Berkas {file} tidak dapat dibaca: {error.strerror}.") from error
    breaks = [one for line in lines for one in walk.step(_entry(line))]
    return [*breaks, *walk.end(walk.at)]  # a file has no other end than its own


def _lines(gateway: Gateway, last: int) -> Iterator[bytes]:
    """The lines of the chain up to a number."""
    after = 0
    while after < last and (page := _page(gateway, after)):
        yield from (line for line in page if _number(line) <= last)
        after = _number(page[-1])


def _page(gateway: Gateway, after: int) -> list[bytes]:
    return gateway.download("/audit/export", after=after, limit=_PAGE).splitlines()


def _head(gateway: Gateway) -> Head:
    head = gateway.get("/audit/head")
    return Head(head["number"], head["digest"])


def _number(line: bytes) -> int:
    return int(_entry(line)["number"])


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        return {**entry, "number": int(entry["number"]), "digest": str(entry["digest"])}
    except (ValueError, TypeError, KeyError) as error:
        raise Failure("Ada baris yang bukan catatan jejak audit.") from error


def _noted(text: str | None) -> Head | None:
    if text is None:
        return None
    written = _HEAD.fullmatch(text.strip())
    if written is None:
        raise Failure("Ujung yang dicatat ditulis NOMOR:SIDIK, seperti yang diperlihatkan `kkb audit head`.")
    return Head(int(written[1]), written[2])


def _sentence(one: Break) -> str:
    which = number(one.number) if one.number == one.last else f"{number(one.number)} sampai {number(one.last)}"
    place = "" if one.belongs_at is None else f" {number(one.belongs_at)}"
    return f"Catatan {which}: {AUDIT_FAULTS[one.fault]}{place}."
