"""`kkb accounts`: accounts of people in offices without an identity provider of their own."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from cli.access import gateway_of
from cli.client import Gateway, segment
from cli.failures import Failure
from cli.options import DEFAULT_LIMIT, AsJson, Limit
from cli.screen import console, moment, more_than, show_json, show_table, table
from cli.words import ACCOUNT_STATUSES

app = typer.Typer(help="Akun orang di kantor tanpa penyedia identitas sendiri.", no_args_is_help=True)

_NATIONAL = "nasional"

AccountArgument = Annotated[str, typer.Argument(help="Nama masuk (login) atau id akun", show_default=False)]
GrantOption = Annotated[
    list[str],
    typer.Option("--grant", help=f"PERAN@WILAYAH, seperti officer@33.26 atau reader@{_NATIONAL}; boleh diulang"),
]


@app.command("create")
def create_account(
    ctx: typer.Context,
    login: Annotated[str, typer.Argument(help="Nama masuk: huruf kecil, angka, titik, garis", show_default=False)],
    name: Annotated[str, typer.Option(help="Sebutan orangnya di kantor")],
    office: Annotated[str, typer.Option(help="Kantornya")],
    grant: GrantOption,
    as_json: AsJson = False,
) -> None:
    """Buka akun. Kode sekali pakainya hanya diperlihatkan satu kali; serahkan sendiri kepada orangnya."""
    draft = {"login": login, "name": name, "office": office, "grants": _grants(grant)}
    _show_code(gateway_of(ctx).post("/accounts", draft), as_json=as_json)


@app.command("list")
def list_accounts(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="active, invited, atau disabled")] = None,
    limit: Limit = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Akun di wilayah Anda."""
    found, more = gateway_of(ctx).items("/accounts", limit, status=status)
    if as_json:
        show_json(found)
        return
    shown = table("Login", "Nama", "Kantor", "Hak", "Status", "Terakhir masuk")
    for account in found:
        shown.add_row(
            account["login"],
            account["name"],
            account["office"],
            _rights(account),
            ACCOUNT_STATUSES.get(account["status"], account["status"]),
            moment(account["last_signed_in_at"]),
        )
    show_table(console(), "Akun", shown)
    if more:
        console().print(more_than(len(found)))


@app.command("show")
def show_account(ctx: typer.Context, account: AccountArgument, as_json: AsJson = False) -> None:
    """Satu akun dan sesi yang sedang terbuka."""
    gateway = gateway_of(ctx)
    found = _found(gateway, account)
    sessions, _ = gateway.items(f"/accounts/{found['id']}/sessions", DEFAULT_LIMIT)
    if as_json:
        show_json({**found, "sessions": sessions})
        return
    for label, value in (
        ("Login", found["login"]),
        ("Id", found["id"]),
        ("Nama", found["name"]),
        ("Kantor", found["office"]),
        ("Hak", _rights(found)),
        ("Status", ACCOUNT_STATUSES.get(found["status"], found["status"])),
        ("Kode berlaku sampai", moment(found["code_expires_at"])),
        ("Terakhir masuk", moment(found["last_signed_in_at"])),
    ):
        console().print(f"{label}: {value}", soft_wrap=True)
    shown = table("Peramban", "Masuk", "Terakhir dipakai", "Paling lama sampai")
    for one in sessions:
        shown.add_row(one["browser"], moment(one["created_at"]), moment(one["last_used_at"]), moment(one["expires_at"]))
    show_table(console(), "Sesi terbuka", shown)


@app.command("change")
def change_account(
    ctx: typer.Context,
    account: AccountArgument,
    name: Annotated[str | None, typer.Option(help="Sebutan baru")] = None,
    office: Annotated[str | None, typer.Option(help="Kantor baru")] = None,
    grant: GrantOption = [],  # noqa: B006 - typer makes a new list for each call
) -> None:
    """Ubah nama, kantor, atau seluruh hak sebuah akun; berlaku seketika."""
    change = {"name": name, "office": office, "grants": _grants(grant) if grant else None}
    given = {field: value for field, value in change.items() if value is not None}
    if not given:
        raise Failure("Sebutkan yang diubah: --name, --office, atau --grant.")
    changed = _changed(gateway_of(ctx), account, given)
    console().print(f"Akun {changed['login']} diubah. Hak: {_rights(changed)}", soft_wrap=True)


@app.command("disable")
def disable_account(ctx: typer.Context, account: AccountArgument) -> None:
    """Nonaktifkan akun; semua sesinya berakhir seketika."""
    console().print(f"Akun {_changed(gateway_of(ctx), account, {'disabled': True})['login']} dinonaktifkan.")


@app.command("enable")
def enable_account(ctx: typer.Context, account: AccountArgument) -> None:
    """Aktifkan lagi akun yang dinonaktifkan."""
    console().print(f"Akun {_changed(gateway_of(ctx), account, {'disabled': False})['login']} diaktifkan lagi.")


@app.command("reset")
def reset_password(ctx: typer.Context, account: AccountArgument, as_json: AsJson = False) -> None:
    """Beri kode sekali pakai yang baru; sandi lama tidak berlaku lagi dan semua sesi berakhir."""
    gateway = gateway_of(ctx)
    found = _found(gateway, account)
    _show_code(gateway.post(f"/accounts/{found['id']}/code"), as_json=as_json)


@app.command("end-sessions")
def end_sessions(ctx: typer.Context, account: AccountArgument) -> None:
    """Akhiri semua sesi sebuah akun."""
    gateway = gateway_of(ctx)
    found = _found(gateway, account)
    gateway.delete(f"/accounts/{found['id']}/sessions")
    console().print(f"Semua sesi {found['login']} diakhiri.")


def _found(gateway: Gateway, account: str) -> dict[str, Any]:
    """By its id where it is written as one, else by its login."""
    if _is_id(account):
        found: dict[str, Any] = gateway.get(f"/accounts/{segment(account)}")
        return found
    matches, _ = gateway.items("/accounts", 1, login=account)
    if not matches:
        raise Failure(f"Tidak ada akun {account} di wilayah Anda.")
    match: dict[str, Any] = matches[0]
    return match


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _changed(gateway: Gateway, account: str, change: dict[str, Any]) -> dict[str, Any]:
    found = _found(gateway, account)
    changed: dict[str, Any] = gateway.patch(f"/accounts/{found['id']}", change, if_match=f'"{found["version"]}"')
    return changed


def _grants(given: list[str]) -> list[dict[str, str | None]]:
    grants: list[dict[str, str | None]] = []
    for text in given:
        role, at, region = text.partition("@")
        if not (role and at and region):
            raise Failure(f"Hak ditulis PERAN@WILAYAH, seperti officer@33.26 atau reader@{_NATIONAL}; bukan {text}.")
        grants.append({"role": role, "region": None if region == _NATIONAL else region})
    return grants


def _rights(account: dict[str, Any]) -> str:
    return ", ".join(f"{grant['role']}@{grant['region'] or _NATIONAL}" for grant in account["grants"])


def _show_code(invited: dict[str, Any], *, as_json: bool) -> None:
    if invited["code"] is None:
        raise Failure(
            f"Akun {invited['login']} sudah dibuka, tetapi jawabannya hilang di jalan. "
            f"Minta kode baru: `kkb accounts reset {invited['login']}`."
        )
    if as_json:
        show_json(invited)
        return
    until = moment(invited["code_expires_at"])
    console().print(f"Kode sekali pakai untuk {invited['login']}, berlaku sampai {until}; tidak diperlihatkan lagi:")
    console().print(invited["code"], soft_wrap=True)
