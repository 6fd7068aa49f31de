"""Where a request really comes from: the connection's other end, or what proxies that we know say of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.proxy.headers import Headers

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
_SCHEMES = frozenset({"http", "https"})
_MOST_HOPS = 20
"""Nobody has so many proxies; what stands farther left is not looked at."""


_LONGEST_ADDRESS = 64
"""Of IPv6 with zone, brackets and port. Longer texts are not even remembered."""


class Origin:
    """Tells a client's address and scheme.

    `X-Forwarded-For` is a list that every proxy appends to, so its right end was written by the nearest one, and
    everything left of the first entry that no trusted proxy vouches for may have been made up by the client. It is
    read from the right, and only when the connection itself comes from a trusted proxy.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self._is_trusted = lru_cache(4096)(self._lies_in_trusted)

    def address(self, peer: str, headers: Headers) -> str:
        """The client's address: IPv4-mapped IPv6 as IPv4, no port; the peer as it is where it is no address."""
        nearest = _plain(peer)
        if not self._trusted or not self._is_trusted(nearest):
            return nearest
        for entry in _entries(headers):
            address = address_of(entry)
            if address is None:
                break  # a trusted proxy wrote no address there: what it spoke with is not known, so it stands itself
            nearest = str(address)
            if not self._is_trusted(nearest):
                break
        return nearest

    def scheme(self, peer: str, headers: Headers, scheme: str) -> str:
        """`https` where a trusted proxy says that TLS ends there, else the connection's own."""
        if not self._trusted or not self._is_trusted(_plain(peer)):
            return scheme
        given = [value for name, value in headers if name == _FORWARDED_PROTO]
        said = given[-1].decode("latin-1").rpartition(",")[2].strip().lower() if given else scheme
        return said if said in _SCHEMES else scheme

    def _lies_in_trusted(self, address: str) -> bool:
        parsed = address_of(address)
        return parsed is not None and lies_in(parsed, self._trusted)


def parse_network(text: str) -> Network:
    """A network as CIDR, or one address.

    Raises:
        ValueError: it is neither, or has bits set beyond its prefix: which network was meant is not guessed.
    """
    network = ip_network(text.strip())
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{network} is an IPv4 network written as IPv6: write it as IPv4")
    return network


def lies_in(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def address_of(text: str) -> Address | None:
    """An address with or without a port, IPv6 with or without brackets, IPv4-mapped IPv6 as IPv4; None when it is none."""
    return _parsed(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(4096)
def _plain(peer: str) -> str:
    address = address_of(peer)
    return peer if address is None else str(address)


def _entries(headers: Headers) -> list[str]:
    """Entries of all X-Forwarded-For headers, the nearest first."""
    whole = b",".join(value for name, value in headers if name == _FORWARDED_FOR)
    return [entry.strip() for entry in reversed(whole.decode("latin-1").split(",")[-_MOST_HOPS:])] if whole else []


@lru_cache(4096)
def _parsed(text: str) -> Address | None:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
