"""`kkb keys`: keys of the gateway."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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


KeyOut = Annotated[Path | None, typer.Option("--key-out", help="Tulis kuncinya ke berkas baru ini, hanya untuk Anda")]
KeyId = Annotated[str, typer.Argument(help="Id kunci")]
_LAST_SECOND = "T23:59:59+07:00"
"""Of a day, in western Indonesia."""


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
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Hanya dari alamat atau jaringan ini, seperti 203.0.113.0/24; boleh berulang"),
    ] = None,
    key_out: KeyOut = None,
    as_json: AsJson = False,
) -> None:
    """Terbitkan kunci. Kuncinya hanya diperlihatkan satu kali."""
    if (region is None) is not national:
        raise Failure("Sebutkan salah satu: --region KODE atau --national.")
    if (expires is None) is not never_expires:
        raise Failure("Sebutkan salah satu: --expires TANGGAL atau --never-expires.")
    gateway = gateway_of(ctx)
    draft = {"name": name, "owner": owner, "roles": role, "region": region, "allowed_addresses": allow or None}
    draft["expires_at"] = f"{expires:%Y-%m-%d}{_LAST_SECOND}" if expires else None
    issued = kept(key_out, lambda: _issued(gateway, draft))
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


def kept(path: Path | None, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was answered, its key written to a file if one is named.

    The file is made before the key is: a key that cannot be written would be lost.
    """
    if path is None:
        return ask()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(f"Berkas {path} tidak dapat dibuat: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        try:
            answer = ask()
        except Failure:
            path.unlink()
            raise
        file.write(answer["key"] + "\n")
    return {**answer, "key": f"(tertulis di {path})"}


@app.command("list")
def list_keys(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="active, expired, atau revoked")] = None,
    role: Annotated[str | None, typer.Option(help="Hanya yang berperan ini")] = None,
    owner: Annotated[str | None, typer.Option(help="Hanya milik lembaga ini, persis seperti tertulis")] = None,
    region: Region = None,
    expires_within: Annotated[int | None, typer.Option(min=1, help="Hanya yang berakhir dalam sekian hari")] = None,
    unused_for: Annotated[int | None, typer.Option(min=1, help="Hanya yang tidak dipakai selama sekian hari")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Kunci yang pernah diterbitkan, tanpa rahasianya."""
    filters = {"status": status, "role": role, "owner": owner, "region": region}
    filters["expires_before"] = _days_from_now(expires_within)
    filters["not_used_since"] = _days_from_now(-unused_for if unused_for else None)
    found, more = gateway_of(ctx).items("/keys", limit, **filters)
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
            _until(key),
            moment(key["last_used_at"]),
        )
    show_table(console(), "Kunci", shown)
    if more:
        console().print(more_than(len(found)))


def _days_from_now(days: int | None) -> str | None:
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()


def _until(key: dict[str, Any]) -> str:
    return moment(key["expires_at"]) if key["expires_at"] else "sampai dicabut"


def _rotation(key: dict[str, Any]) -> str:
    when, by = moment(key["rotated_at"]), key["rotated_by"]
    if by is None:
        return when
    return f"{when} oleh {'pemegangnya sendiri' if by == key['id'] else by}"


@app.command("show")
def show_key(ctx: typer.Context, key: KeyId, as_json: AsJson = False) -> None:
    """Satu kunci: peran, wilayah, alamat, masa berlaku, dan kapan dipakai."""
    found = gateway_of(ctx).get(f"/keys/{segment(key)}")
    if as_json:
        show_json(found)
        return
    shown = table("", "")
    for name, value in (
        ("Nama", found["name"]),
        ("Lembaga", found["owner"]),
        ("Peran", ", ".join(found["roles"])),
        ("Wilayah", found["region"] or "Indonesia"),
        ("Boleh dipakai dari", ", ".join(found["allowed_addresses"] or ["mana saja"])),
        ("Status", STATUSES.get(found["status"], found["status"])),
        ("Diterbitkan", f"{moment(found['created_at'])} oleh {found['created_by']}"),
        ("Berlaku sampai", _until(found)),
        ("Terakhir dipakai", moment(found["last_used_at"])),
        ("Diganti rahasianya", _rotation(found)),
        ("Rahasia lama sampai", moment(found["old_secret_until"])),
        ("Rahasia lama terakhir dipakai", moment(found["old_secret_used_at"])),
    ):
        shown.add_row(name, value)
    show_table(console(), f"Kunci {found['id']}", shown)


@app.command("change")
def change_key(
    ctx: typer.Context,
    key: KeyId,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Hari terakhir berlakunya (waktu Indonesia barat)")
    ] = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="Berlaku sampai dicabut")] = False,
    allow: Annotated[list[str] | None, typer.Option(help="Hanya dari alamat atau jaringan ini; boleh berulang")] = None,
    allow_anywhere: Annotated[bool, typer.Option("--allow-anywhere", help="Dari mana saja")] = False,
) -> None:
    """Ubah sampai kapan dan dari mana sebuah kunci boleh dipakai."""
    if (expires and never_expires) or (allow and allow_anywhere):
        raise Failure("Pilihan itu saling bertentangan.")
    change: dict[str, Any] = {}
    if expires or never_expires:
        change["expires_at"] = f"{expires:%Y-%m-%d}{_LAST_SECOND}" if expires else None
    if allow or allow_anywhere:
        change["allowed_addresses"] = allow or None
    if not change:
        raise Failure("Sebutkan yang diubah: --expires, --never-expires, --allow, atau --allow-anywhere.")
    gateway = gateway_of(ctx)
    path = f"/keys/{segment(key)}"
    version = gateway.get(path)["version"]
    changed = gateway.patch(path, change, if_match=f'"{version}"')
    allowed = ", ".join(changed["allowed_addresses"] or ["mana saja"])
    console().print(f"Kunci {key} berlaku sampai: {_until(changed)}; boleh dipakai dari: {allowed}.")


@app.command("rotate")
def rotate_key(
    ctx: typer.Context,
    key: KeyId,
    old_until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Hari terakhir rahasia lama masih berlaku, paling lama 30 hari lagi"),
    ] = None,
    at_once: Annotated[bool, typer.Option("--at-once", help="Rahasia lama langsung tidak berlaku")] = False,
    key_out: KeyOut = None,
    as_json: AsJson = False,
) -> None:
    """Ganti rahasia kunci; yang lama dan yang baru berlaku bersamaan sampai hari yang Anda sebut."""
    if (old_until is None) is not at_once:
        raise Failure("Sebutkan salah satu: --old-until TANGGAL atau --at-once.")
    gateway = gateway_of(ctx)
    asked = {"old_secret_until": f"{old_until:%Y-%m-%d}{_LAST_SECOND}" if old_until else None}
    rotated = kept(key_out, lambda: dict(gateway.post(f"/keys/{segment(key)}/rotation", asked)))
    show_rotated(rotated, at_once=at_once, as_json=as_json)


def show_rotated(rotated: dict[str, Any], *, at_once: bool, as_json: bool) -> None:
    """A key with its new secret, this once."""
    if as_json:
        show_json(rotated)
        return
    console().print(f"Rahasia baru kunci {rotated['id']}. Simpan; tidak diperlihatkan lagi:")
    console().print(rotated["key"], soft_wrap=True)
    if at_once:
        console().print("Rahasia lama tidak berlaku lagi.")
    else:
        console().print(f"Rahasia lama berlaku sampai {moment(rotated['old_secret_until'])}.")


@app.command("finish-rotation")
def finish_rotation(ctx: typer.Context, key: KeyId) -> None:
    """Akhiri rahasia lama sekarang juga, setelah semua memakai yang baru."""
    found = gateway_of(ctx).post(f"/keys/{segment(key)}/rotation/completion")
    console().print(f"Hanya rahasia terbaru kunci {key} yang berlaku.")
    if found["old_secret_used_at"]:
        console().print(f"Rahasia lama terakhir dipakai {moment(found['old_secret_used_at'])}.")


@app.command("cancel-rotation")
def cancel_rotation(ctx: typer.Context, key: KeyId) -> None:
    """Batalkan rahasia baru (hilang, atau terlihat orang lain); yang lama berlaku seperti semula."""
    gateway_of(ctx).post(f"/keys/{segment(key)}/rotation/cancel")
    console().print(f"Rahasia baru kunci {key} dibatalkan; yang lama berlaku seperti semula.")


@app.command("revoke")
def revoke_key(ctx: typer.Context, key: KeyId) -> None:
    """Cabut kunci; tidak dapat dipakai lagi."""
    gateway_of(ctx).delete(f"/keys/{segment(key)}")
    console().print(f"Kunci {key} dicabut.")
