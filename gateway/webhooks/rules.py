"""What a webhook may point at, what it wants, and how its messages are signed (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from contracts.regions import is_within

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64 random bytes."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin
LONGEST_URL = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?")
_DEFAULT_PORTS = {"https": 443, "http": 80}
_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "5f00::/16"),  # newer registrations than Python's
        "2002::/16",  # 6to4: an IPv4 address in disguise (RFC 7526 retires it)
        "168.63.129.16/32",  # a public address that is a cloud's own metadata service
    )
)


class Unsuitable(ValueError):
    """A webhook cannot point there."""


@dataclass(frozen=True)
class Destinations:
    """Where webhooks may point. The strict default is for the internet; an office names its inner networks."""

    allow_http: bool = False
    ports: frozenset[int] = frozenset({443, 8443})
    networks: tuple[Network, ...] = field(default=())
    """Networks allowed although they are not public."""


@dataclass(frozen=True)
class Target:
    """A webhook's address taken apart, once: what was checked is what is connected to."""

    scheme: str
    host: str
    port: int
    path: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """The Host header (RFC 9112, 3.2): the port only where it is not the scheme's."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


def target_of(url: str, allowed: Destinations) -> Target:
    """Take a webhook's address apart.

    Raises:
        Unsuitable: with a sentence that says why it cannot be used.
    """
    if len(url) > LONGEST_URL or not _PLAIN.fullmatch(url) or "\\" in url:
        raise Unsuitable(f"an address has at most {LONGEST_URL} plain characters, without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Unsuitable("this is not an address") from error
    _check_parts(parts, allowed)
    host, scheme = str(parts.hostname), parts.scheme
    port = _DEFAULT_PORTS[scheme] if port is None else port
    if port not in allowed.ports:
        raise Unsuitable(f"port {port} is not allowed here: {', '.join(map(str, sorted(allowed.ports)))}")
    literal = _literal(host)
    if literal is not None and (why := refusal(literal, allowed.networks)) is not None:
        raise Unsuitable(why)
    return Target(scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _check_parts(parts: SplitResult, allowed: Destinations) -> None:
    if parts.scheme not in ({"https", "http"} if allowed.allow_http else {"https"}):
        raise Unsuitable("an address begins with https://")
    if parts.username is not None or parts.password is not None:
        raise Unsuitable("an address holds no user name and no password: the signature says who sends")
    if parts.fragment or not parts.hostname:
        raise Unsuitable("an address has a host, and nothing after #")
    named = _HOST.fullmatch(parts.hostname) and "[" not in parts.netloc
    if _literal(parts.hostname) is None and not named:
        raise Unsuitable("the host is not a name; names with other letters are written in punycode (xn--...)")


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def refusal(address: Address, allowed: Sequence[Network]) -> str | None:
    """Why nothing is sent to an address; None where something may be.

    Private, loopback, link-local (with clouds' metadata), shared (CGNAT), unique-local, multicast, reserved and
    documentation addresses are refused (IANA's special-purpose registries, RFC 6890), also where IPv6 wraps them.
    """
    inner = getattr(address, "ipv4_mapped", None)
    address = inner if inner is not None else address
    if any(address.version == network.version and address in network for network in allowed):
        return None
    ordinary = address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or getattr(address, "is_site_local", False)
        or any(address.version == network.version and address in network for network in _NEVER)
    )
    return None if ordinary else "this address is not public, and its network is not one that the platform allows"


def wants(types: Collection[str] | None, region: str | None, kind: str, short: str, region_code: str) -> bool:
    """Whether a webhook wants an event of a type (also by its short name) about a region. None: all."""
    return (types is None or kind in types or short in types) and is_within(region_code, region)


def written_secret(raw: bytes) -> str:
    """A secret as its owner gets it."""
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def signature(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature by each secret that is valid now."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_signed(secret, signed)}" for secret in secrets)


def _signed(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
