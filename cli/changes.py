"""`kkb changes`: follow what changes, one line of JSON an event; where it stands is kept in a file."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway
from cli.failures import Failure, Refused, Unreachable
from cli.options import Region
from cli.screen import console

_PAGE = 500
_WAIT_SECONDS = 25
_PAUSE_SECONDS = 5
_PASSING = frozenset({502, 503, 504})
_INTERRUPTED = 130


class Feed(StrEnum):
    """Services with a feed."""

    REGISTRY = "registry"
    INTERVENTIONS = "interventions"
    SCORING = "scoring"


def show_changes(
    ctx: typer.Context,
    service: Annotated[Feed, typer.Option(help="Layanan yang diikuti", show_default=False)],
    since_file: Annotated[
        Path, typer.Option(help="Berkas tempat batas bacaan disimpan; belum ada: mulai dari awal", show_default=False)
    ],
    region: Region = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--type", help="Hanya jenis ini, seperti profile-reported; boleh berulang")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Terus menunggu perubahan berikutnya")] = False,
) -> None:
    """Perubahan sejak terakhir dibaca, satu baris JSON per peristiwa (NDJSON).

    Batas bacaan baru disimpan setelah barisnya tercetak: setelah gangguan, sebagian baris dapat tercetak lagi.
    Pakailah satu berkas untuk satu layanan, wilayah, dan jenis.
    """
    reading = _Reading(gateway_of(ctx), since_file, service, {"region": region, "type": kinds or None})
    try:
        while reading.next_page(0):
            pass
        while follow:
            _patiently(reading)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _patiently(reading: _Reading) -> None:
    """The next page whenever it comes; passing trouble is told and waited out."""
    try:
        reading.next_page(_WAIT_SECONDS)
    except Unreachable as trouble:
        _pause(trouble)
    except Refused as trouble:
        if trouble.status not in _PASSING:
            raise
        _pause(trouble)


def _pause(trouble: Failure) -> None:
    console(stderr=True).print(str(trouble), style="yellow", soft_wrap=True)
    time.sleep(_PAUSE_SECONDS)


class _Reading:
    """How far a feed was read."""

    def __init__(self, gateway: Gateway, file: Path, service: Feed, filters: dict[str, Any]) -> None:
        self._gateway = gateway
        self._file = file
        self._path = f"/changes/{service.value}"
        self._filters = filters
        self._since = _kept(file)

    def next_page(self, wait: int) -> bool:
        """Print the next page, then keep its end; whether there is more already."""
        try:
            page = self._gateway.get(self._path, **self._filters, since=self._since, limit=_PAGE, wait=wait)
        except Refused as refusal:
            if refusal.slug == "feed-reset":
                raise Failure(
                    f"{refusal}\nHapus {self._file}, lalu jalankan lagi: semuanya dibaca dari awal."
                ) from None
            raise
        for item in page["items"]:
            print(json.dumps(item, ensure_ascii=False, separators=(",", ":")))
        sys.stdout.flush()
        self._since = page["next_since"]
        _keep(self._file, page["next_since"])
        return bool(page["more"])


def _kept(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise Failure(f"Berkas {file} tidak dapat dibaca: {_why(error)}.") from error


def _keep(file: Path, since: str) -> None:
    """Replace the file as a whole: a reader, or a power cut, finds the old or the new one."""
    beside = file.with_name(f"{file.name}.new")
    try:
        beside.write_text(f"{since}\n", encoding="ascii")
        beside.replace(file)
    except OSError as error:
        raise Failure(f"Berkas {file} tidak dapat ditulis: {_why(error)}.") from error


def _why(error: OSError | UnicodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "isinya bukan batas bacaan"
