"""Where a request really comes from: what proxies say counts only where they are trusted, and from the right."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.proxy.origin import Origin, parse_network
from gateway.settings import GatewaySettings

TRUSTED = [parse_network(text) for text in ("10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48")]
CLIENT, OTHER = "203.0.113.9", "8.8.8.8"


def address(peer: str, *forwarded: str) -> str:
    return Origin(TRUSTED).address(peer, [(b"x-forwarded-for", value.encode()) for value in forwarded])


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.1.2.3", [CLIENT], CLIENT),
        ("10.1.2.3", [f"{OTHER}, {CLIENT}"], CLIENT),
        ("10.1.2.3", [OTHER, CLIENT], CLIENT),
        ("10.1.2.3", [f"{OTHER}, {CLIENT}, 192.0.2.7, 10.9.9.9"], CLIENT),
        ("10.1.2.3", [f"10.0.0.5, {CLIENT}"], CLIENT),
        ("2001:db8:1::1", ["2001:db8:2::5"], "2001:db8:2::5"),
        ("10.1.2.3", ["[2001:DB8:2::5]:4711"], "2001:db8:2::5"),
        ("10.1.2.3", [f"{CLIENT}:4711"], CLIENT),
        ("::ffff:10.1.2.3", [f"::ffff:{CLIENT}"], CLIENT),
        ("10.1.2.3", ["10.0.0.5"], "10.0.0.5"),
        ("10.1.2.3", ["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
    ],
)
def test_behind_trusted_proxies(peer: str, forwarded: list[str], expected: str) -> None:
    assert address(peer, *forwarded) == expected


@pytest.mark.parametrize("forwarded", [[], [OTHER], [f"10.0.0.5, {OTHER}"], ["10.0.0.5"], ["garbage"]])
@pytest.mark.parametrize("peer", [CLIENT, "192.0.2.8", "2001:db8:2::1"])
def test_a_stranger_is_not_believed(peer: str, forwarded: list[str]) -> None:
    assert address(peer, *forwarded) == peer


@pytest.mark.parametrize(
    "garbage", ["unknown", "", "_hidden", f"{OTHER} {CLIENT}", "1.2.3", "1.2.3.4.5", "\xff", "01.2.3.4"]
)
def test_what_is_no_address_ends_the_walk_at_the_last_one_known(garbage: str) -> None:
    assert address("10.1.2.3", f"{OTHER}, {garbage}") == "10.1.2.3"
    assert address("10.1.2.3", f"{OTHER}, {garbage}, 10.0.0.5") == "10.0.0.5"
    assert address("10.1.2.3", f"{garbage}, {CLIENT}") == CLIENT


def test_a_very_long_list_is_not_walked_to_its_end() -> None:
    assert address("10.1.2.3", f"{OTHER}, " + ", ".join(["10.0.0.5"] * 1000)) == "10.0.0.5"


def test_without_trusted_proxies_nothing_counts() -> None:
    headers = [(b"x-forwarded-for", CLIENT.encode()), (b"x-forwarded-proto", b"https")]
    origin = Origin([])
    assert origin.address("10.1.2.3", headers) == "10.1.2.3"
    assert origin.address("::ffff:10.1.2.3", headers) == "10.1.2.3"
    assert origin.address("", headers) == ""
    assert origin.scheme("10.1.2.3", headers, "http") == "http"


@pytest.mark.parametrize(
    ("peer", "values", "expected"),
    [
        ("10.1.2.3", [b"https"], "https"),
        ("10.1.2.3", [b"http", b"HTTPS"], "https"),
        ("10.1.2.3", [b"https, http"], "http"),
        ("10.1.2.3", [b"javascript"], "http"),
        ("10.1.2.3", [], "http"),
        (CLIENT, [b"https"], "http"),
    ],
)
def test_scheme(peer: str, values: list[bytes], expected: str) -> None:
    assert Origin(TRUSTED).scheme(peer, [(b"x-forwarded-proto", value) for value in values], "http") == expected


class TestSetting:
    def test_networks_and_addresses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KKB_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7,2001:db8:1::/48")
        assert self._settings().trusted_proxies == tuple(TRUSTED)

    @pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.local", "10.0.0.0/33", "::ffff:10.0.0.0/104", "*"])
    def test_what_is_none_ends_the_start(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("KKB_TRUSTED_PROXIES", text)
        with pytest.raises(ValidationError, match="trusted_proxies"):
            self._settings()

    def _settings(self) -> GatewaySettings:
        url = "http://127.0.0.1:9"
        return GatewaySettings.model_validate(
            {
                "port": 1,
                "ops_port": 1,
                "database_url": "postgresql+asyncpg://a:b@127.0.0.1:9/c",
                "identity_public_key_file": "a",
                "identity_private_key_file": "b",
                "webhook_key_file": "c",
                "registry_url": url,
                "interventions_url": url,
                "scoring_url": url,
            }
        )
