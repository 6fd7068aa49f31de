"""`kkb webhooks`: list, add, pause, resume, ping, log, redeliver, rotate, delete."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Kkb

NOBODY = "http://127.0.0.1:9/kkb"


async def added(kkb: Kkb, *arguments: str) -> str:
    result = await kkb("webhooks", "add", NOBODY, "--name", "SIGA", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["id"])


async def test_add_list_pause_resume_delete(kkb: Kkb) -> None:
    result = await kkb(
        *("webhooks", "add", NOBODY, "--name", "Data 33.26", "--type", "village-classified", "--region", "33.26")
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"^whsec_\S{44}$", result.stdout, re.MULTILINE)
    number = re.search(r"Webhook (\S+) didaftarkan untuk 33\.26", result.stdout)[1]  # type: ignore[index]  # else it fails
    listed = (await kkb("webhooks", "list", COLUMNS="300")).stdout
    (line,) = [text for text in listed.splitlines() if number in text]
    assert all(part in line for part in ("Data 33.26", NOBODY, "village-classified", "33.26", "aktif"))
    assert (await kkb("webhooks", "pause", number)).stdout == f"Webhook {number} dijeda.\n"
    paused = (await kkb("webhooks", "list", "--state", "paused", COLUMNS="300")).stdout
    assert "dijeda (diminta)" in paused
    resumed = await kkb("webhooks", "resume", number, "--missed", "skip")
    assert resumed.stdout == f"Webhook {number} aktif lagi; yang terlewat tidak dikirim.\n"
    assert (await kkb("webhooks", "delete", number)).exit_code == 0
    gone = await kkb("webhooks", "pause", number)
    assert gone.exit_code == 1
    assert gone.stderr.startswith("Webhook tidak ditemukan, atau bukan milik Anda (404).")


async def test_ping_log_redeliver(kkb: Kkb) -> None:
    number = await added(kkb)
    ping = await kkb("webhooks", "ping", number, COLUMNS="200")
    assert ping.exit_code == 1
    assert "tidak tersambung" in ping.stdout
    assert "Pesan uji tidak diterima." in ping.stderr
    (logged,) = json.loads((await kkb("webhooks", "log", number, "--json")).stdout)
    assert logged["state"] == "given_up"
    listed = (await kkb("webhooks", "log", number, COLUMNS="200")).stdout
    assert "gateway.ping.v1" in listed
    assert "dihentikan" in listed
    one = (await kkb("webhooks", "log", number, str(logged["id"]), COLUMNS="200")).stdout
    assert f"webhook-id {logged['message_id']}" in one
    assert '"type": "id.kampungkb.gateway.ping.v1"' in one
    span = ("--from", "2026-01-01T00:00:00+07:00", "--to", "2099-01-01T00:00:00+07:00")
    assert (await kkb("webhooks", "redeliver", number, *span, "--all")).stdout == "Dikirim lagi: 0.\n"
    again = await kkb("webhooks", "redeliver", number, str(logged["id"]))
    assert again.stdout == f"Pengiriman {logged['id']} dikirim lagi.\n"


async def test_rotate(kkb: Kkb) -> None:
    number = await added(kkb)
    result = await kkb("webhooks", "rotate", number, "--overlap", "0")
    assert "yang lama tidak berlaku lagi" in result.stdout
    assert "whsec_" in result.stdout
    assert "yang lama berlaku sampai" in (await kkb("webhooks", "rotate", number)).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("redeliver", "x"), "nomor pengiriman, atau --from"),
        (("redeliver", "x", "5", "--from", "a", "--to", "b"), "nomor pengiriman, atau --from"),
        (("add", NOBODY, "--name", "x", "--since", "registry"), "LAYANAN=next_since"),
        (("add", "https://10.0.0.1/", "--name", "x"), "#/url"),
    ],
)
async def test_what_cannot_be(kkb: Kkb, arguments: tuple[str, ...], message: str) -> None:
    result = await kkb("webhooks", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
