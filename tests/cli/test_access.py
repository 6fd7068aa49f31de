"""Where `kkb` finds the gateway and its key, and how it says that something is missing."""

from __future__ import annotations

import json
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import access
from cli.client import Gateway
from cli.words import CREDENTIALS, ROLES, SCOPES
from gateway.admission import Credential
from kit.access import Role, Scope
from tests.cli.conftest import Kkb, run
from tests.cli.platform import Platform


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


class TestGateway:
    def test_unreachable_is_one_line(self, nobody: str) -> None:
        result = run("classes", KKB_URL=nobody, KKB_KEY="kkb_x")
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert nobody in result.stderr

    @pytest.mark.parametrize("url", ["ftp://x", "http://", "127.0.0.1:8080", "http://127.0.0.1:delapan"])
    def test_an_address_that_is_none(self, url: str) -> None:
        result = run("--url", url, "classes", KKB_KEY="kkb_x")
        assert result.exit_code == 1
        assert "Alamat gateway tidak dapat dipakai" in result.stderr


class TestKey:
    def test_none_anywhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(access, "_CHECKOUT", tmp_path)
        result = run("classes", KKB_URL=nobody)
        assert result.exit_code == 1
        assert "KKB_KEY_FILE" in result.stderr

    async def test_the_usual_file_below_the_current_folder(
        self, kkb: Kkb, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secrets = tmp_path / ".data" / "secrets"
        secrets.mkdir(parents=True)
        (secrets / "admin.key").write_text(platform.key_file.read_text())
        monkeypatch.chdir(tmp_path)
        assert (await kkb("classes", KKB_KEY_FILE=None)).exit_code == 0

    async def test_from_the_environment_and_a_named_file_before_it(
        self, kkb: Kkb, platform: Platform, tmp_path: Path
    ) -> None:
        wrong = tmp_path / "wrong.key"
        wrong.write_text("kkb_nobody\n")
        assert (await kkb("classes", KKB_KEY_FILE=None, KKB_KEY=platform.key)).exit_code == 0
        refused = await kkb("--key-file", str(wrong), "classes", KKB_KEY=platform.key)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("Kunci tidak ada, salah, atau tidak berlaku lagi (401).")

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"kunci\x07"])
    def test_a_file_without_a_usable_key(self, tmp_path: Path, nobody: str, content: bytes) -> None:
        (tmp_path / "key").write_bytes(content)
        result = run("--key-file", str(tmp_path / "key"), "classes", KKB_URL=nobody)
        assert result.exit_code == 1
        assert "unci" in result.stderr
        assert nobody not in result.stderr

    def test_an_absent_file(self, tmp_path: Path, nobody: str) -> None:
        result = run("--key-file", str(tmp_path / "absent"), "classes", KKB_URL=nobody)
        assert result.exit_code == 1
        assert "tidak dapat dibaca" in result.stderr


class TestKeys:
    async def test_create_use_list_revoke(self, kkb: Kkb, tmp_path: Path) -> None:
        place = tmp_path / "pekalongan.key"
        draft = ("--name", "Uji", "--owner", "Dinas Uji", "--role", "reader", "--region", "33.26", "--never-expires")
        made = await kkb("keys", "create", *draft, "--key-out", str(place), "--json")
        assert made.exit_code == 0, made.output
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert place.read_text().strip() not in made.stdout
        own = {"KKB_KEY_FILE": str(place)}
        assert (await kkb("villages", "--region", "33.26", **own)).exit_code == 0
        outside = await kkb("villages", "--region", "33.27", **own)
        assert outside.stderr.startswith("Wilayah ini di luar wilayah kunci Anda (403).")
        number = json.loads(made.stdout)["id"]
        assert number in (await kkb("keys", "list", "--status", "active")).stdout
        assert (await kkb("keys", "revoke", number)).exit_code == 0
        assert (await kkb("villages", "--region", "33.26", **own)).exit_code == 1
        assert number not in (await kkb("keys", "list", "--status", "active")).stdout

    async def test_rotate_finish_and_cancel(self, kkb: Kkb, tmp_path: Path) -> None:
        draft = ("--name", "Uji", "--owner", "Dinas Putar", "--role", "reader", "--region", "33.26", "--never-expires")
        files = [tmp_path / f"{name}.key" for name in ("first", "second", "third")]
        made = await kkb("keys", "create", *draft, "--allow", "127.0.0.0/8", "--key-out", str(files[0]), "--json")
        number = json.loads(made.stdout)["id"]
        day = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
        rotated = await kkb("keys", "rotate", number, "--old-until", day, "--key-out", str(files[1]))
        assert rotated.exit_code == 0, rotated.stderr
        assert "Rahasia lama berlaku sampai" in rotated.stdout
        assert files[1].stat().st_mode & 0o777 == 0o600
        again = await kkb("keys", "rotate", number, "--at-once")
        assert again.stderr.startswith("Bertentangan dengan yang sudah tercatat (409).")
        assert (await kkb("keys", "cancel-rotation", number)).exit_code == 0
        assert (await kkb("keys", "rotate", number, "--old-until", day, "--key-out", str(files[2]))).exit_code == 0
        assert (await kkb("keys", "finish-rotation", number)).exit_code == 0
        works = [(await kkb("villages", "--region", "33.26", KKB_KEY_FILE=str(file))).exit_code for file in files]
        assert works == [1, 1, 0]
        changed = await kkb("keys", "change", number, "--expires", "2999-12-31", "--allow", "127.0.0.1")
        assert "boleh dipakai dari: 127.0.0.1/32" in changed.stdout, changed.stderr
        assert (await kkb("keys", "change", number)).exit_code == 1
        assert (await kkb("keys", "change", number, "--allow", "x", "--allow-anywhere")).exit_code == 1
        await kkb("keys", "change", number, "--allow", "127.0.0.0/8")
        shown = (await kkb("keys", "show", number)).stdout
        assert "127.0.0.0/8" in shown
        assert "Dinas Putar" in shown
        listed = await kkb("keys", "list", "--owner", "Dinas Putar", "--unused-for", "1", "--json")
        assert [key["id"] for key in json.loads(listed.stdout)] == [number]
        assert (await kkb("keys", "list", "--owner", "Dinas Putar", "--expires-within", "9", "--json")).stdout == "[]\n"

    async def test_how_long_the_old_secret_stays_must_be_said(self, kkb: Kkb) -> None:
        result = await kkb("keys", "rotate", "01900000-0000-7000-8000-000000000000")
        assert (result.exit_code, "Sebutkan salah satu" in result.stderr) == (1, True)

    async def test_revoke_an_unknown_one(self, kkb: Kkb) -> None:
        result = await kkb("keys", "revoke", "01900000-0000-7000-8000-000000000000")
        assert result.exit_code == 1
        assert result.stderr.startswith("Kunci tidak ditemukan (404).")

    async def test_shown_once_where_no_file_is_named(self, kkb: Kkb) -> None:
        draft = ("--name", "Uji", "--owner", "Dinas Uji", "--role", "reader", "--national", "--expires", "2999-12-31")
        made = await kkb("keys", "create", *draft)
        assert made.exit_code == 0
        assert "kkb_" in made.stdout

    @pytest.mark.parametrize(
        "given",
        [
            ("--never-expires",),
            ("--national",),
            ("--national", "--region", "33", "--never-expires"),
            ("--national", "--never-expires", "--expires", "2999-12-31"),
        ],
    )
    async def test_whole_country_and_for_ever_must_be_said(self, kkb: Kkb, given: tuple[str, ...]) -> None:
        result = await kkb("keys", "create", "--name", "x", "--owner", "x", "--role", "reader", *given)
        assert result.exit_code == 1
        assert "Sebutkan salah satu" in result.stderr

    async def test_an_existing_file_is_not_overwritten_and_no_key_is_issued(self, kkb: Kkb, tmp_path: Path) -> None:
        place = tmp_path / "there.key"
        place.write_text("penting")
        before = json.loads((await kkb("keys", "list", "--json")).stdout)
        draft = ("--name", "x", "--owner", "x", "--role", "reader", "--national", "--never-expires")
        result = await kkb("keys", "create", *draft, "--key-out", str(place))
        assert result.exit_code == 1
        assert place.read_text() == "penting"
        assert len(json.loads((await kkb("keys", "list", "--json")).stdout)) == len(before)

    async def test_a_refused_key_leaves_no_file(self, kkb: Kkb, tmp_path: Path) -> None:
        place = tmp_path / "new.key"
        draft = ("--name", "x", "--owner", "x", "--role", "raja", "--national", "--never-expires")
        result = await kkb("keys", "create", *draft, "--key-out", str(place))
        assert result.exit_code == 1
        assert "#/roles" in result.stderr
        assert not place.exists()


class TestMe:
    async def test_who_what_and_until_when(self, kkb: Kkb, tmp_path: Path) -> None:
        place = tmp_path / "me.key"
        day = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
        draft = ("--name", "Sistem Saya", "--owner", "Dinas Uji", "--role", "reporter", "--region", "82.02")
        assert (await kkb("keys", "create", *draft, "--expires", day, "--key-out", str(place))).exit_code == 0
        own = {"KKB_KEY_FILE": str(place)}
        shown = (await kkb("me", **own)).stdout
        for expected in ("Sistem Saya", "kunci", "reporter (pelapor)", "82.02", "melaporkan", day, "segera berakhir"):
            assert expected in shown
        assert "mengelola kunci" not in shown
        assert json.loads((await kkb("me", "--json", **own)).stdout)["region"] == "82.02"
        national = (await kkb("me")).stdout
        assert ("Indonesia" in national, "mengelola kunci" in national, "segera" in national) == (True, True, False)

    async def test_rotate_then_only_the_new_one_opens(self, kkb: Kkb, tmp_path: Path) -> None:
        files = [tmp_path / f"{name}.key" for name in ("first", "second", "third")]
        draft = ("--name", "Putar", "--owner", "Dinas Uji", "--role", "reader", "--region", "82.02", "--never-expires")
        made = json.loads((await kkb("keys", "create", *draft, "--key-out", str(files[0]), "--json")).stdout)
        rotated = await kkb("me", "rotate", "--key-out", str(files[1]), KKB_KEY_FILE=str(files[0]))
        assert (rotated.exit_code, "Rahasia lama berlaku sampai" in rotated.stdout) == (0, True), rotated.output
        assert stat.S_IMODE(files[1].stat().st_mode) == 0o600
        assert "rahasia lama; pakai yang baru" in (await kkb("me", KKB_KEY_FILE=str(files[0]))).stdout
        assert "pemegang kunci ini sendiri" in (await kkb("me", KKB_KEY_FILE=str(files[1]))).stdout
        assert "pemegangnya sendiri" in (await kkb("keys", "show", made["id"])).stdout
        early = await kkb("me", "rotate", "--key-out", str(files[2]), KKB_KEY_FILE=str(files[1]))
        assert early.stderr.startswith("Bertentangan dengan yang sudah tercatat (409).")
        assert not files[2].exists()
        assert (await kkb("keys", "finish-rotation", made["id"])).exit_code == 0
        at_once = await kkb("me", "rotate", "--overlap", "0", "--key-out", str(files[2]), KKB_KEY_FILE=str(files[1]))
        assert "Rahasia lama tidak berlaku lagi." in at_once.stdout, at_once.output
        assert [(await kkb("me", KKB_KEY_FILE=str(file))).exit_code for file in files] == [1, 1, 0]

    def test_a_lost_answer_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        replayed = {"id": "82", "key": None, "old_secret_until": "2999-01-01T00:00:00Z"}
        monkeypatch.setattr(Gateway, "post", lambda *_arguments: replayed)
        place = tmp_path / "lost.key"
        result = run("me", "rotate", "--key-out", str(place), KKB_KEY="kkb_x")
        assert (result.exit_code, "kkb keys cancel-rotation 82" in result.stderr) == (1, True)
        assert not place.exists()


def test_every_right_has_its_words() -> None:
    assert set(SCOPES) == set(Scope)
    assert set(ROLES) == set(Role)
    assert set(CREDENTIALS) == set(Credential)
