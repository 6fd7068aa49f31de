"""`kkb accounts` against the whole platform."""

from __future__ import annotations

import json
import re

from tests.cli.conftest import Kkb

CODE = re.compile(r"^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}$", re.MULTILINE)
NEW = ("accounts", "create", "siti.uji", "--name", "Siti", "--office", "Dinas Uji")


async def test_the_life_of_an_account(kkb: Kkb) -> None:
    made = await kkb(*NEW, "--grant", "officer@92.01", "--grant", "assessor@92.01")
    assert (made.exit_code, len(CODE.findall(made.output))) == (0, 1), made.output

    listed = await kkb("accounts", "list", "--status", "invited")
    assert re.search(r"siti\.uji.*Dinas Uji.*menunggu sandi", listed.output), listed.output
    shown = json.loads((await kkb("accounts", "show", "siti.uji", "--json")).output)
    assert (shown["login"], shown["sessions"]) == ("siti.uji", [])

    changed = await kkb("accounts", "change", shown["id"], "--grant", "reader@nasional")
    assert changed.output.strip() == "Akun siti.uji diubah. Hak: reader@nasional"
    assert (await kkb("accounts", "disable", "siti.uji")).output.strip() == "Akun siti.uji dinonaktifkan."
    assert "Status: nonaktif" in (await kkb("accounts", "show", "siti.uji")).output
    assert (await kkb("accounts", "enable", "siti.uji")).output.strip() == "Akun siti.uji diaktifkan lagi."
    reset = await kkb("accounts", "reset", "siti.uji")
    assert CODE.findall(reset.output)
    assert CODE.search(reset.output) != CODE.search(made.output)
    assert (await kkb("accounts", "end-sessions", "siti.uji")).output.strip() == "Semua sesi siti.uji diakhiri."


async def test_what_goes_wrong_is_said(kkb: Kkb) -> None:
    for arguments, sentence in (
        ((*NEW, "--grant", "officer"), "Hak ditulis PERAN@WILAYAH"),
        ((*NEW, "--grant", "officer@92.1"), "#/grants/0/region"),
        (("accounts", "show", "tidak.ada"), "Tidak ada akun tidak.ada"),
        (("accounts", "reset", "0197a3f2-6d1c-7c3e-9f4a-2b8d5e6f7a10"), "Akun tidak ditemukan"),
        (("accounts", "change", "siti.uji"), "Sebutkan yang diubah"),
    ):
        answer = await kkb(*arguments)
        assert (answer.exit_code, sentence in answer.output) == (1, True), answer.output
