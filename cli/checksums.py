"""`kkb checksums`: whether the services hold the same."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.options import AsJson, Region
from cli.screen import console, number, show_json, show_table, table
from cli.words import THINGS

_AGAIN_SECONDS = 1.0
_DIFFERENT = 1

Held = tuple[int, str]
"""Count and digest."""
_NOTHING: Held = (0, "0" * 16)


@dataclass(frozen=True)
class _Kind:
    """One kind of thing as those services hold it that do."""

    kind: str
    held: Mapping[str, Held]
    parts: Mapping[str, Mapping[str, Held]]
    """By region code."""

    @property
    def same(self) -> bool:
        return _agree(self.held)

    @property
    def different_parts(self) -> Iterator[tuple[str, Mapping[str, Held]]]:
        return ((code, held) for code, held in self.parts.items() if not _agree(held))


def compare_checksums(
    ctx: typer.Context,
    region: Region = None,
    wait: Annotated[
        int, typer.Option(min=0, help="Ulangi paling lama sekian detik sampai sama: peristiwa mungkin masih di jalan")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Bandingkan isi semua layanan: jumlah dan sidik (digest) per wilayah. Kode keluar 1 bila ada yang berbeda."""
    gateway = gateway_of(ctx)
    services = [feed["service"] for feed in gateway.get("/changes")["items"]]
    until = time.monotonic() + wait
    while True:
        answers = {service: gateway.get(f"/checksums/{service}", region=region) for service in services}
        kinds = _by_kind(answers)
        same = all(kind.same for kind in kinds)
        if same or time.monotonic() >= until:
            break
        time.sleep(_AGAIN_SECONDS)
    if as_json:
        show_json({"same": same, "services": answers})
    else:
        _show(region, services, kinds)
    if not same:
        raise typer.Exit(_DIFFERENT)


def _agree(held: Mapping[str, Held]) -> bool:
    return len(set(held.values())) <= 1


def _by_kind(answers: Mapping[str, Any]) -> list[_Kind]:
    found: dict[str, dict[str, Any]] = {}
    for service, answer in answers.items():
        for kind in answer["kinds"]:
            found.setdefault(kind["kind"], {})[service] = kind
    return [_Kind(kind, {s: _held(one) for s, one in by.items()}, _parts(by)) for kind, by in found.items()]


def _parts(by_service: Mapping[str, Any]) -> dict[str, dict[str, Held]]:
    """A part that a service does not name holds nothing there."""
    codes = sorted({part["region_code"] for one in by_service.values() for part in one["parts"]})
    parts = {code: dict.fromkeys(by_service, _NOTHING) for code in codes}
    for service, one in by_service.items():
        for part in one["parts"]:
            parts[part["region_code"]][service] = _held(part)
    return parts


def _held(one: Mapping[str, Any]) -> Held:
    return one["count"], one["digest"]


def _show(region: str | None, services: list[str], kinds: list[_Kind]) -> None:
    screen = console()
    shown = table("Isi", *services, "Hasil")
    for kind in kinds:
        result = ("sama" if len(kind.held) > 1 else "hanya satu layanan") if kind.same else "BERBEDA"
        shown.add_row(
            THINGS.get(kind.kind, kind.kind), *_cells(kind.held, services), result, style=None if kind.same else "red"
        )
    show_table(screen, f"Isi layanan di {region or 'wilayah Anda'}: jumlah dan sidik", shown)
    different = table("Isi", "Wilayah", *services)
    for kind in kinds:
        for code, held in kind.different_parts:
            different.add_row(THINGS.get(kind.kind, kind.kind), code, *_cells(held, services))
    if different.row_count:
        show_table(screen, "Bagian yang berbeda", different)
        screen.print("Peristiwa mungkin masih di jalan: ulangi dengan --wait 30, lalu perkecil wilayahnya.")


def _cells(held: Mapping[str, Held], services: list[str]) -> list[str]:
    return [f"{number(held[service][0])}  {held[service][1]}" if service in held else "-" for service in services]
