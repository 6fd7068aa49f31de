"""The keys of identities: made, announced, rotated and retired while everything runs."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deploy import identity_keys
from deploy.identity_keys import SAFE_AFTER_SECONDS, IdentityKeys
from kit.access import Grant, Principal, Role
from kit.identity import AcceptedKeys, Signer, Verifier, key_id, load_private_key, load_public_keys
from kit.metrics import IDENTITIES_REFUSED, IDENTITY_KEYS
from kit.problems import Unauthenticated

WHO = Principal("id", "name", (Grant(Role.READER, "33.26"),))


class Running:
    """A gateway that signs and a service that checks, both started before anything was rotated."""

    def __init__(self, keys: IdentityKeys) -> None:
        self.signer = Signer(keys.private)
        self.verify = Verifier(AcceptedKeys.of_file(keys.public), "registry")

    def token(self) -> str:
        return self.signer.mint(WHO, "registry")

    def accepts(self, token: str) -> bool:
        self.verify._look_again = 0.0  # as a second later
        try:
            return self.verify(token) == WHO
        except Unauthenticated:
            return False


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


@pytest.fixture
def keys(tmp_path: Path) -> IdentityKeys:
    made = IdentityKeys(tmp_path / "pair")
    made.make()
    return made


def age(keys: IdentityKeys) -> None:
    """As if the last rotation were long ago."""
    long_ago = time.time() - SAFE_AFTER_SECONDS - 1
    os.utime(keys.private, (long_ago, long_ago))


def test_a_keys_id_is_its_thumbprint() -> None:
    # RFC 8037, A.2 and A.3
    key = Ed25519PublicKey.from_public_bytes(
        bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    )
    assert key_id(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


class TestMake:
    def test_one_pair_for_ever_and_its_public_half_in_the_other_folder(self, tmp_path: Path) -> None:
        pair, public = tmp_path / "pair", tmp_path / "public"
        asked = ["make", str(pair), "--public", str(public)]
        assert identity_keys.main(asked) == 0
        signs = load_private_key(pair / "identity-private.pem")
        assert load_public_keys(public / "identity-public.pem") == [signs.public_key()]
        assert stat.S_IMODE((pair / "identity-private.pem").stat().st_mode) == 0o600
        assert [path.name for path in public.iterdir()] == ["identity-public.pem"]
        for lost in (public / "identity-public.pem", pair / "identity-public.pem"):
            lost.unlink()
            assert identity_keys.main(asked) == 0
            assert load_public_keys(public / "identity-public.pem") == [signs.public_key()]

    def test_called_wrongly(self) -> None:
        with pytest.raises(SystemExit):
            identity_keys.main(["throw"])


class TestRotate:
    def test_no_request_fails_and_nobody_starts_anew(self, keys: IdentityKeys) -> None:
        running = Running(keys)
        before = running.token()
        assert running.accepts(before)
        keys.rotate()
        assert running.accepts(before)
        after = running.token()
        assert kid(after) != kid(before)
        assert running.accepts(after)
        assert running.accepts(before)
        assert IDENTITY_KEYS._value.get() == 2

    def test_a_new_signature_is_known_at_once(self, keys: IdentityKeys) -> None:
        running = Running(keys)
        running.verify(running.token())
        running.verify._look_again = time.monotonic() + 3600
        keys.rotate()
        assert running.verify(running.token()) == WHO

    def test_only_the_last_one_stays_accepted(self, keys: IdentityKeys) -> None:
        running = Running(keys)
        first = running.token()
        keys.rotate()
        second = running.token()
        keys.rotate()
        third = running.token()
        assert [running.accepts(token) for token in (first, second, third)] == [False, True, True]
        assert [line.split()[1] for line in keys.lines()] == ["signs", "accepted"]

    def test_what_was_announced_before_is_signed_with(self, keys: IdentityKeys) -> None:
        running = Running(keys)
        keys.announce()
        keys.announce()
        coming = key_id(load_private_key(keys.next).public_key())
        assert [line.split()[1] for line in keys.lines()] == ["announced", "signs"]
        assert kid(running.token()) != coming
        keys.rotate()
        assert kid(running.token()) == coming
        assert not keys.next.exists()

    @pytest.mark.parametrize("written", [0, 1, 2, 3])
    def test_killed_half_way_it_goes_on_where_it_was(
        self, keys: IdentityKeys, monkeypatch: pytest.MonkeyPatch, written: int
    ) -> None:
        running = Running(keys)
        before = running.token()
        with monkeypatch.context() as killed:
            left = iter(range(written))
            rename = Path.rename
            killed.setattr(
                Path, "rename", lambda file, to: rename(file, to) if next(left, None) is not None else _killed()
            )
            with pytest.raises(KeyboardInterrupt):
                keys.rotate()
        assert running.accepts(before)
        assert running.accepts(running.token())
        keys.rotate()
        assert running.accepts(before)
        assert kid(running.token()) != kid(before)
        assert running.accepts(running.token())


class TestRetire:
    def test_not_while_it_may_be_in_use(self, keys: IdentityKeys, capsys: pytest.CaptureFixture[str]) -> None:
        running = Running(keys)
        before = running.token()
        keys.rotate()
        assert identity_keys.main(["retire", str(keys.folder)]) == 1
        assert "wait 120 s" in capsys.readouterr().err
        assert running.accepts(before)

    @pytest.mark.parametrize("at_once", [False, True])
    def test_what_the_last_key_signed_opens_nothing(self, keys: IdentityKeys, at_once: bool) -> None:
        running = Running(keys)
        before = running.token()
        assert running.accepts(before)
        keys.rotate()
        if not at_once:
            age(keys)
        assert identity_keys.main(["retire", str(keys.folder), *(["--now"] if at_once else [])]) == 0
        refused = IDENTITIES_REFUSED.labels("unknown_key")._value.get()
        assert not running.accepts(before)
        assert IDENTITIES_REFUSED.labels("unknown_key")._value.get() == refused + 1
        assert running.accepts(running.token())

    def test_what_is_announced_stays(self, keys: IdentityKeys) -> None:
        keys.rotate()
        keys.announce()
        keys.retire(now=True)
        assert [line.split()[1] for line in keys.lines()] == ["announced", "signs"]


class TestUnreadable:
    @pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PUBLIC KEY-----\n", b"nonsense"])
    def test_the_keys_at_hand_stay_and_it_is_said_once(
        self, keys: IdentityKeys, content: bytes | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        running = Running(keys)
        before = running.token()
        for file in (keys.public, keys.private):
            file.unlink()
            if content is not None:
                file.write_bytes(content)
        for _ in range(3):
            assert running.accepts(before)
            assert running.accepts(running.token())
        assert len([record for record in caplog.records if "cannot be read again" in record.message]) == 2

    def test_they_are_read_when_they_are_whole_again(self, keys: IdentityKeys) -> None:
        running = Running(keys)
        whole = keys.public.read_bytes()
        keys.public.write_bytes(b"half")
        assert running.accepts(running.token())
        keys.public.write_bytes(whole)
        keys.rotate()
        assert running.accepts(running.token())

    def test_a_start_without_a_key_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "empty.pem"
        file.write_bytes(b"")
        with pytest.raises(ValueError, match="no public key"):
            AcceptedKeys.of_file(file)


def _killed() -> None:
    raise KeyboardInterrupt
