"""Addresses, signatures, waits, excerpts, and the keys that secrets are encrypted with."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.deliveries.rules import excerpt, is_over, probe_after, wait_after
from gateway.webhooks.rules import (
    Destinations,
    Target,
    Unsuitable,
    refusal,
    signature,
    target_of,
    wants,
    written_secret,
)
from gateway.webhooks.vault import KeyUnusable, SecretUnreadable, Vault

DOCUMENT = Path(__file__).parents[3] / "docs/webhooks.md"
INTERNET = Destinations()


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            *("10.0.0.1", "172.16.9.9", "192.168.1.1", "127.0.0.1", "127.9.9.9", "0.0.0.0", "255.255.255.255"),  # noqa: S104
            *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "198.18.0.1", "192.0.0.8"),
            *("224.0.0.1", "239.1.1.1", "240.0.0.1", "192.0.2.1", "203.0.113.9"),
            *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1"),
            *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
            *("2002:7f00:1::", "2001:0:53aa:64c:0:0:0:1", "fd00:ec2::254"),
        ],
    )
    def test_what_is_not_public_is_refused(self, address: str) -> None:
        assert refusal(ipaddress.ip_address(address), ())

    @pytest.mark.parametrize("address", ["8.8.8.8", "103.28.12.1", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
    def test_what_is_public_is_not(self, address: str) -> None:
        assert refusal(ipaddress.ip_address(address), ()) is None

    def test_a_named_network_is_allowed_and_no_other(self) -> None:
        allowed = (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd12::/16"))
        for address in ("10.20.1.1", "::ffff:10.20.1.1", "fd12::1"):
            assert refusal(ipaddress.ip_address(address), allowed) is None
        assert refusal(ipaddress.ip_address("10.21.0.1"), allowed)

    @pytest.mark.parametrize(
        "url",
        [
            *("http://a.example/", "ftp://a.example/", "https:///x", "https://", "a.example/x", "https://a.example/#x"),
            *("https://user@a.example/", "https://user:pw@a.example/", "https://:pw@a.example/", "https://@a.example/"),
            *("https://a.example:80/", "https://a.example:99999/", "https://a.example:x/", "https://a.example:0/"),
            *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/"),
            *("https://a.example\\@b.example/", "https://a b/", "https://a.example/\r\nX: y", "https://a.example/\t"),
            *(
                "https://desä.example/",
                "https://-a.example/",
                "https://a..example/",
                "https://[v1.x]/",
                "https://a%2eb/",
            ),
            "https://a.example/" + "x" * 2000,
        ],
    )
    def test_unsuitable(self, url: str) -> None:
        with pytest.raises(Unsuitable):
            target_of(url, INTERNET)

    @pytest.mark.parametrize(
        ("url", "target", "authority"),
        [
            ("https://A.example", Target("https", "a.example", 443, "/"), "a.example"),
            ("https://a.example:8443/x?y=1", Target("https", "a.example", 8443, "/x?y=1"), "a.example:8443"),
            ("https://[2606:4700::1111]/", Target("https", "2606:4700::1111", 443, "/"), "[2606:4700::1111]"),
        ],
    )
    def test_suitable(self, url: str, target: Target, authority: str) -> None:
        assert target_of(url, INTERNET) == target
        assert target.authority == authority

    def test_http_where_it_is_allowed(self) -> None:
        allowed = Destinations(allow_http=True, ports=frozenset({80}))
        assert target_of("http://a.example/", allowed).port == 80


class TestSignatures:
    def test_the_example_of_the_specification(self) -> None:
        signed = signature(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_the_documented_check_takes_ours_and_nothing_else(self) -> None:
        (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
        found: dict[str, Any] = {}
        exec(code, found)  # noqa: S102 - our own document
        secret, other = written_secret(b"x" * 32), written_secret(b"y" * 32)
        now, body = 1_700_000_000, b'{"a": 1}'
        headers = {"webhook-id": "i", "webhook-timestamp": str(now)}

        def is_ours(signed: str, when: int = now, content: bytes = body) -> bool:
            answer: bool = found["is_ours"]({**headers, "webhook-signature": signed}, content, secret, when)
            return answer

        assert is_ours(signature([secret], "i", now, body))
        assert is_ours(signature([other, secret], "i", now, body))
        assert not is_ours(signature([other], "i", now, body))
        assert not is_ours(signature([secret], "j", now, body))
        assert not is_ours(signature([secret], "i", now, body), content=b"{}")
        assert not is_ours(signature([secret], "i", now, body), when=now + 600)
        assert not is_ours("")

    def test_what_is_wanted(self) -> None:
        kind = "id.kampungkb.registry.village-registered.v1"
        assert wants(None, None, kind, "village-registered", "33.26.01.2001")
        assert wants({kind}, "33.26", kind, "village-registered", "33.26.01.2001")
        assert wants({"village-registered"}, "33", kind, "village-registered", "33.26")
        assert not wants({"village-changed"}, None, kind, "village-registered", "33.26")
        assert not wants(None, "33.2", kind, "village-registered", "33.26.01.2001")


class TestWaits:
    def test_they_grow_for_three_days(self) -> None:
        waits = [wait_after(tries, 0.0) for tries in range(1, 30)]
        assert waits == sorted(waits)
        assert (waits[0], waits[-1]) == (timedelta(seconds=5), timedelta(hours=4))
        assert wait_after(1, 1.0) == timedelta(seconds=6)
        assert max(probe_after(failures, 0.0) for failures in range(1, 30)) == timedelta(minutes=15)

    def test_what_the_receiver_asks_for_is_kept_up_to_an_hour(self) -> None:
        assert wait_after(1, 0.0, timedelta(minutes=5)) == timedelta(minutes=5)
        assert probe_after(1, 0.0, timedelta(days=9)) == timedelta(hours=1)

    def test_over(self) -> None:
        now = datetime(2026, 1, 4, tzinfo=UTC)
        assert is_over(now - timedelta(days=3), now)
        assert not is_over(now - timedelta(days=2, hours=23), now)

    def test_excerpts(self) -> None:
        assert excerpt(b"") is None
        assert excerpt(b"\x00\x1b[31m a\r\n\tb ") == "[31m a b"
        assert excerpt(b"\xff" * 500) is None
        assert len(excerpt(b"x" * 5000) or "") == 200
        text = b"whsec_Zm9v kkb_00_11 Authorization: Bearer abc.def v1,Zm9v= ok"
        assert excerpt(text) == "*** *** Authorization: *** *** ok"


class TestVault:
    def test_only_for_its_own_webhook_and_with_a_key_it_has(self) -> None:
        one, two, webhook = b"1" * 32, b"2" * 32, uuid4()
        sealed = Vault([one]).seal("whsec_x", webhook)
        assert b"whsec" not in sealed
        assert Vault([two, one]).unseal(sealed, webhook) == "whsec_x"
        for vault, number in ((Vault([two]), webhook), (Vault([one]), uuid4())):
            with pytest.raises(SecretUnreadable):
                vault.unseal(sealed, number)

    def test_several_keys_in_a_file(self, tmp_path: Path) -> None:
        file, webhook = tmp_path / "keys", uuid4()
        file.write_text("ab" * 32)
        sealed = Vault.of(file).seal("s", webhook)
        file.write_text("cd" * 32 + "\n" + "ab" * 32 + "\n")
        assert Vault.of(file).unseal(sealed, webhook) == "s"

    @pytest.mark.parametrize("content", ["", "secret", "0" * 64, "ab" * 31, "ab" * 32 + "\nchange-me"])
    def test_what_is_no_key_ends_the_start(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "keys").write_text(content)
        with pytest.raises(KeyUnusable):
            Vault.of(tmp_path / "keys")
        with pytest.raises(KeyUnusable):
            Vault.of(tmp_path / "nothing")
