"""Where the gateway is and which key is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import typer

from cli.client import Gateway
from cli.failures import Failure

DEFAULT_URL = "http://127.0.0.1:8080"
_ADMIN_KEY = Path("secrets", "admin.key")
_CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Access:
    """What the command line and the environment say."""

    url: str
    key_file: Path | None


def gateway_of(ctx: typer.Context) -> Gateway:
    """The gateway that this call of `kkb` talks to.

    Raises:
        Failure: there is no key, or the address cannot be used.
    """
    access = ctx.find_object(Access)
    assert access is not None, "main sets it before every command"
    gateway = Gateway(access.url, _key(access.key_file))
    ctx.call_on_close(gateway.close)
    return gateway


def _key(key_file: Path | None) -> str:
    """From the file that was named, else KKB_KEY, else where `make up` leaves the administrator's."""
    if key_file is not None:
        return _read(key_file)
    if key := os.environ.get("KKB_KEY", "").strip():
        return key
    for place in _usual_places():
        if place.is_file():
            return _read(place)
    raise Failure(
        "Tidak ada kunci: sebutkan --key-file (KKB_KEY_FILE) atau KKB_KEY. "
        f"`make up` menaruh kunci administrator di {Path('.data') / _ADMIN_KEY}."
    )


def _usual_places() -> list[Path]:
    """As `make up` sees it: KKB_DATA_DIR counts from the checkout, the default is .data."""
    named = os.environ.get("KKB_DATA_DIR")
    folders = [_CHECKOUT / named] if named else [Path(".data"), _CHECKOUT / ".data"]
    return [folder / _ADMIN_KEY for folder in folders]


def _read(place: Path) -> str:
    try:
        key = place.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "isinya bukan kunci"
        raise Failure(f"Berkas kunci {place} tidak dapat dibaca: {why}.") from error
    if not key:
        raise Failure(f"Berkas kunci {place} kosong.")
    return key
