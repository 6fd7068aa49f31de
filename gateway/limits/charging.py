"""What every request is charged to: a caller's bucket, or for strangers their address's."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from functools import lru_cache

from gateway.limits.buckets import Buckets, Quota, Taken
from gateway.limits.classes import LimitClass
from gateway.metrics import LIMITED
from gateway.proxy.headers import Headers
from kit.problems import TooMany

MOST_CLIENTS = 50_000
"""Clients remembered of each class, about 10 MB; newcomers beyond share one bucket."""

_IPV6_NETWORK = 64
"""One customer has a whole /64 of addresses (RFC 6177), so that many are one client."""

_CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"cookie"})
_MOST_REMEMBERED = 10_000


class Limits:
    """Counts requests per client and class, in this process."""

    def __init__(self, quotas: Mapping[LimitClass, Quota], strangers: Quota, most: int = MOST_CLIENTS) -> None:
        self._callers = {kind: _Counted(kind, quota, most) for kind, quota in quotas.items()}
        self._strangers = {kind: _Counted(kind, strangers, most) for kind in LimitClass}
        self._strangers[LimitClass.SIGN_IN] = _Counted(LimitClass.SIGN_IN, quotas[LimitClass.SIGN_IN], most)
        self._refused = _Counted(LimitClass.SIGN_IN, strangers, most)
        self._good: set[int] = set()

    def charge_caller(self, caller: str, kind: LimitClass, now: float) -> Headers:
        """Charge a request of a known caller; gives the headers that tell him what is left.

        Raises:
            TooMany: nothing is left.
        """
        return self._callers[kind].charge(caller, now, "caller")

    def charge_stranger(self, address: str, kind: LimitClass, now: float) -> Headers:
        """Charge a request for which nobody has to say who he is.

        Raises:
            TooMany: nothing is left for his address.
        """
        return self._strangers[kind].charge(network(address), now, "stranger")

    def admit_credentials(self, address: str, headers: Headers, now: float) -> None:
        """Before credentials are looked at, which costs: not from where too many bad ones came.

        Those that were good lately pass: one broken client must not lock out its whole office.

        Raises:
            TooMany: too many bad ones came from this address.
        """
        seconds = self._refused.buckets.is_empty(network(address), now)
        if seconds and _fingerprint(headers) not in self._good:
            raise self._refused.refusal(seconds, "stranger")

    def refused(self, address: str, now: float) -> None:
        """Note that credentials from an address were bad."""
        self._refused.buckets.take(network(address), now)

    def accepted(self, headers: Headers) -> None:
        """Note that credentials were good."""
        if len(self._good) >= _MOST_REMEMBERED:
            self._good.clear()
        self._good.add(_fingerprint(headers))


class _Counted:
    """One quota: its buckets, and how answers speak of it (draft-ietf-httpapi-ratelimit-headers-10)."""

    def __init__(self, kind: LimitClass, quota: Quota, most: int) -> None:
        self.buckets = Buckets(quota, most)
        self._kind = kind
        self._name = f'"{kind}"'.encode()
        self._policy = (b"ratelimit-policy", b"%b;q=%d;w=%d" % (self._name, quota.requests, quota.seconds))

    def charge(self, client: str, now: float, who: str) -> Headers:
        taken = self.buckets.take(client, now)
        if not taken.allowed:
            raise self.refusal(taken.seconds, who)
        return [self._policy, self._left(taken)]

    def refusal(self, seconds: float, who: str) -> TooMany:
        LIMITED.labels(self._kind, who).inc()
        wait = math.ceil(seconds)
        none_left = self._left(Taken(allowed=False, remaining=0, seconds=seconds))
        headers = {name.decode(): value.decode() for name, value in (self._policy, none_left)}
        quota = self.buckets.quota
        detail = f"{quota.requests} requests of the class {self._kind} in {quota.seconds} s; again in {wait} s"
        return TooMany(detail, headers={"Retry-After": str(wait), **headers})

    def _left(self, taken: Taken) -> tuple[bytes, bytes]:
        return b"ratelimit", b"%b;r=%d;t=%d" % (self._name, taken.remaining, math.ceil(taken.seconds))


@lru_cache(4096)
def network(address: str) -> str:
    """What counts as one stranger: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - IP's own version number
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK), strict=False).network_address)


def _fingerprint(headers: Headers) -> int:
    """Python's keyed hash: nothing of the credentials themselves is kept."""
    return hash(tuple(value for name, value in headers if name in _CREDENTIALS))
