"""`kkb me`: who one is to the platform, and a new secret for one's own key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.access import gateway_of
from cli.client import Gateway
from cli.failures import Failure
from cli.keys import KeyOut, kept, show_rotated
from cli.options import AsJson
from cli.screen import console, moment, show_json, show_table, table
from cli.words import CREDENTIALS, ROLES, SCOPES

app = typer.Typer(help="Saya: siapa saya bagi platform ini, boleh apa, sampai kapan.", invoke_without_command=True)

_WARNED_BEFORE = timedelta(days=30)


@app.callback()
def show_me(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Saya: siapa saya bagi platform ini, boleh apa, sampai kapan. Dengan `rotate`: ganti rahasia kunci sendiri."""
    if ctx.invoked_subcommand is not None:
        return
    me = gateway_of(ctx).get("/me")
    if as_json:
        show_json(me)
        return
    shown = table("", "")
    for name, value in _about(me):
        shown.add_row(name, value)
    show_table(console(), me["name"], shown)
    granted = table("Peran", "Wilayah")
    for grant in me["grants"]:
        granted.add_row(_role(grant["role"]), grant["region"] or "Indonesia")
    show_table(console(), "Hak", granted)
    if (warning := _warning(me)) is not None:
        console().print(warning, style="yellow", soft_wrap=True)


def _about(me: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("Id", me["id"]), ("Masuk dengan", CREDENTIALS.get(me["credential"], me["credential"]))]
    lines.append(("Berlaku sampai", moment(me["expires_at"]) if me["expires_at"] else "dicabut"))
    key = me["key"]
    if key is not None and key["rotated_at"] is not None:
        lines.append(("Rahasia diganti", f"{moment(key['rotated_at'])} oleh {_rotator(me)}"))
        lines.append(("Rahasia lama sampai", moment(key["old_secret_until"])))
    lines.append(("Boleh", ", ".join(_allowed(me["scopes"]))))
    return lines


def _allowed(scopes: list[str]) -> list[str]:
    """In the order of our words; what is newer than this tool comes last, as it is called."""
    known = [words for scope, words in SCOPES.items() if scope in scopes]
    return [*known, *(scope for scope in scopes if scope not in SCOPES)]


def _role(role: str) -> str:
    words = ROLES.get(role, role)
    return role if words == role else f"{role} ({words})"


def _rotator(me: dict[str, Any]) -> str:
    by = me["key"]["rotated_by"]
    if by is None:
        return "tidak diketahui"
    return "pemegang kunci ini sendiri" if by == me["id"] else f"administrator {by}"


def _warning(me: dict[str, Any]) -> str | None:
    key = me["key"]
    if key is None:
        return None
    if key["superseded"]:
        return f"Anda memakai rahasia lama; pakai yang baru sebelum {moment(key['old_secret_until'])}."
    ends = key["expires_at"]
    if ends is None or datetime.fromisoformat(ends) - datetime.now(UTC) > _WARNED_BEFORE:
        return None
    return (
        "Kunci ini segera berakhir. Mengganti rahasianya tidak memperpanjangnya; mintalah administrator "
        f"(`kkb keys change {me['id']} --expires TANGGAL`)."
    )


@app.command("rotate")
def rotate_my_key(
    ctx: typer.Context,
    overlap: Annotated[
        int, typer.Option(min=0, max=168, help="Sekian jam rahasia lama masih berlaku; 0: langsung tidak berlaku")
    ] = 24,
    key_out: KeyOut = None,
    as_json: AsJson = False,
) -> None:
    """Ganti rahasia kunci yang sedang dipakai. Rahasia barunya hanya diperlihatkan satu kali; hak dan masanya tetap."""
    gateway = gateway_of(ctx)
    rotated = kept(key_out, lambda: _rotated(gateway, overlap))
    show_rotated(rotated, at_once=overlap == 0, as_json=as_json)


def _rotated(gateway: Gateway, overlap: int) -> dict[str, Any]:
    rotated: dict[str, Any] = gateway.post("/me/rotation", {"overlap_hours": overlap})
    if rotated["key"] is None:
        raise Failure(
            "Rahasianya sudah diganti, tetapi jawabannya hilang di jalan dan rahasia barunya tidak disimpan di mana pun. "
            f"Mintalah administrator membatalkannya (`kkb keys cancel-rotation {rotated['id']}`) sebelum "
            f"{moment(rotated['old_secret_until'])}, lalu ulangi."
        )
    return rotated
