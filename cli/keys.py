"""`kkb keys`: keys of the gateway."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.options import DEFAULT_LIMIT, AsJson, Limit, Region
from cli.screen import console, moment, more_than, show_json, show_table, table
from cli.words import STATUSES

app = typer.Typer(help="Kunci untuk sistem dan kantor lain.", no_args_is_help=True)


@app.command("create")
def create_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="Untuk apa kunci ini")],
    owner: Annotated[str, typer.Option(help="Lembaga yang bertanggung jawab, bukan nama orang")],
    role: Annotated[
        list[str], typer.Option(help="reader, reporter, officer, partner, assessor, administrator, operator")
    ],
    region: Region = None,
    national: Annotated[bool, typer.Option("--national", help="Berlaku untuk seluruh Indonesia")] = False,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Hari terakhir berlakunya (waktu Indonesia barat)")
    ] = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Berlaku sampai dicabut")] = False,
    key_out: Annotated[Path | None, typer.Option(help="Tulis kuncinya ke berkas baru ini, hanya untuk Anda")] = None,
    as_json: AsJson = False,
) -> None:
    """Terbitkan kunci. Kuncinya hanya diperlihatkan satu kali."""
    if (region is None) is not national:
        raise Failure("Sebutkan salah satu: --region KODE atau --national.")
    if (expires is None) is not never_expires:
        raise Failure("Sebutkan salah satu: --expires TANGGAL atau --never-expires.")
    gateway = gateway_of(ctx)
    until = f"{expires:%Y-%m-%d}T23:59:59+07:00" if expires else None
    draft = {"name": name, "owner": owner, "roles": role, "region": region, "expires_at": until}
    issued = _issued_into(key_out, gateway, draft) if key_out else _issued(gateway, draft)
    if as_json:
        show_json(issued)
        return
    console().print(f"Kunci {issued['id']} untuk {issued['name']} diterbitkan. Simpan; tidak diperlihatkan lagi:")
    console().print(issued["key"], soft_wrap=True)


def _issued(gateway: Gateway, draft: dict[str, Any]) -> dict[str, Any]:
    issued: dict[str, Any] = gateway.post("/keys", draft)
    if issued["key"] is None:
        raise Failure(
            f"Kunci {issued['id']} sudah diterbitkan, tetapi jawabannya hilang di jalan dan kuncinya tidak disimpan di "
            f"mana pun. Cabut (`kkb keys revoke {issued['id']}`), lalu terbitkan lagi."
        )
    return issued


def _issued_into(path: Path, gateway: Gateway, draft: dict[str, Any]) -> dict[str, Any]:
    """The file is made before the key is issued: a key that cannot be written would be lost."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(f"Berkas {path} tidak dapat dibuat: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        try:
            issued = _issued(gateway, draft)
        except Failure:
            path.unlink()
            raise
        file.write(issued["key"] + "\n")
    return {**issued, "key": f"(tertulis di {path})"}


@app.command("list")
def list_keys(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="active, expired, atau revoked")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Kunci yang pernah diterbitkan, tanpa rahasianya."""
    found, more = gateway_of(ctx).items("/keys", limit, status=status)
    if as_json:
        show_json(found)
        return
    shown = table("Id", "Nama", "Lembaga", "Peran", "Wilayah", "Status", "Berlaku sampai", "Terakhir dipakai")
    for key in found:
        shown.add_row(
            key["id"],
            key["name"],
            key["owner"],
            ", ".join(key["roles"]),
            key["region"] or "Indonesia",
            STATUSES.get(key["status"], key["status"]),
            moment(key["expires_at"]) if key["expires_at"] else "sampai dicabut",
            moment(key["last_used_at"]),
        )
    show_table(console(), "Kunci", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("revoke")
def revoke_key(ctx: typer.Context, key: Annotated[str, typer.Argument(help="Id kunci")]) -> None:
    """Cabut kunci; tidak dapat dipakai lagi."""
    gateway_of(ctx).delete(f"/keys/{segment(key)}")
    console().print(f"Kunci {key} dicabut.")
