"""Settings of the gateway, read from the environment (prefix KKB_)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, HttpUrl, model_validator
from pydantic_settings import NoDecode

from gateway.limits.buckets import QUOTA, Quota
from gateway.limits.ceiling import CeilingLimits
from gateway.limits.classes import LimitClass
from gateway.oidc.issuer_keys import KeyLimits
from gateway.proxy.breaker import BreakerLimits
from gateway.proxy.calls import ForwardLimits
from gateway.proxy.connections import PoolLimits
from gateway.proxy.dressing import DressingLimits
from gateway.proxy.origin import Network, parse_network
from gateway.proxy.replicas import ReplicaLimits
from gateway.sessions.book import SessionLimits
from gateway.webhooks.rules import Destinations
from kit.settings import ProcessSettings

_POOL, _FORWARD, _CEILING, _REPLICA, _BREAKER, _KEYS, _SESSION = (
    PoolLimits(),
    ForwardLimits(),
    CeilingLimits(),
    ReplicaLimits(),
    BreakerLimits(),
    KeyLimits(),
    SessionLimits(),
)


def _quota(text: str, what: str) -> Any:
    return Field(text, pattern=f"^{QUOTA}$", description=f"requests/seconds: {what}")


def _network(text: Any) -> Any:
    return parse_network(text) if isinstance(text, str) else text


def _separated(text: Any) -> Any:
    return [part for one in text.split(",") if (part := one.strip())] if isinstance(text, str) else text


Separated = BeforeValidator(_separated)
"""Several values in one variable of the environment, separated by commas."""

Addresses = Annotated[tuple[HttpUrl, ...], NoDecode, Separated, Field(min_length=1)]
Networks = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], NoDecode, Separated]
Ports = Annotated[frozenset[int], NoDecode, Separated]

_ORIGIN = r"^(\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?)$"
Origins = Annotated[tuple[Annotated[str, Field(pattern=_ORIGIN)], ...], NoDecode, Separated]


class GatewaySettings(ProcessSettings):
    """What the gateway needs to know besides what every process does."""

    identity_private_key_file: Path = Field(
        description="Ed25519 private key (PEM) that callers' identities are signed with; read again when it changes"
    )
    registry_url: Addresses = Field(description="http://host:port of the registry's replicas, separated by commas")
    interventions_url: Addresses = Field(description="The same of the interventions service")
    scoring_url: Addresses = Field(description="The same of the scoring service")
    admin_key_file: Path | None = Field(
        None, description="Where the first administrator's key is written (mode 0600) when there is no valid one"
    )
    trusted_proxies: Networks = Field(
        (), description="Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count"
    )
    key_cache_seconds: float = Field(30.0, gt=0, description="How long a checked key is remembered; revocation is told")
    limit_read: str = _quota("6000/60", "reading, per caller and gateway process")
    limit_write: str = _quota("6000/60", "changing something, per caller and gateway process")
    limit_heavy: str = _quota("120/60", "exports, imports, comparisons and their like, per caller and gateway process")
    limit_sign_in: str = _quota("30/60", "ways in that are open to strangers, per address and gateway process")
    limit_strangers: str = _quota("600/60", "what is open to everybody, and bad credentials, per address")
    ceiling_lag_seconds: float = Field(
        _CEILING.lag_seconds, gt=0, description="How late the event loop may be before requests are refused"
    )
    session_seconds: float = Field(_SESSION.longest, gt=0, description="Longest session, however much it is used")
    session_idle_seconds: float = Field(_SESSION.idle, ge=60, description="Longest time without a request")
    session_plain_http: bool = Field(
        False, description="Development only: sessions over plain http; the gateway must then listen on loopback"
    )
    oidc_file: Path | None = Field(
        None, description="JSON file of the identity providers that are trusted, and what their claims grant"
    )
    oidc_look_seconds: float = Field(10.0, gt=0, description="How often that file is looked at for having changed")
    oidc_plain_http: bool = Field(False, description="Tests and development only: fetch issuers' keys without TLS")
    oidc_renew_seconds: float = Field(_KEYS.renew, gt=0, description="Age at which an issuer's keys are fetched anew")
    oidc_keep_seconds: float = Field(_KEYS.keep, gt=0, description="Age up to which they are used while it is away")
    oidc_pause_seconds: float = Field(_KEYS.pause, gt=0, description="Shortest time between two fetches of them")
    audit_check_seconds: float = Field(
        21_600.0, gt=0, description="How often the whole audit trail is checked for changes of the past"
    )
    compress_bytes: int = Field(
        _FORWARD.compress_bytes, ge=0, description="Least size of an answer that is compressed; 0: none is"
    )
    hsts_seconds: int = Field(0, ge=0, description="Strict-Transport-Security, where TLS is in front; 0: none")
    cors_origins: Origins = Field((), description="Web origins whose pages may call the API, separated by commas")
    max_body_bytes: int = Field(_FORWARD.body_bytes, ge=1, description="Largest request body")
    total_seconds: float = Field(_FORWARD.total_seconds, gt=0, description="Longest request, both bodies included")
    upstream_connections: int = Field(
        _POOL.connections, ge=1, description="Most connections to one replica of a service"
    )
    upstream_followers: int = Field(
        100, ge=1, description="Most connections to one replica for requests that wait for changes, beside the others"
    )
    upstream_waiting: int = Field(_POOL.waiting, ge=0, description="Most requests waiting for a connection")
    upstream_wait_seconds: float = Field(_POOL.wait_seconds, gt=0)
    upstream_connect_seconds: float = Field(_POOL.connect_seconds, gt=0)
    upstream_first_byte_seconds: float = Field(_POOL.first_byte_seconds, gt=0)
    upstream_idle_seconds: float = Field(_POOL.idle_seconds, gt=0, description="Below the services' keep-alive time")
    upstream_probe_seconds: float = Field(
        _REPLICA.probe_seconds, gt=0, description="How often each replica is asked whether it is ready"
    )
    upstream_retry_share: float = Field(
        _REPLICA.retry_share, ge=0, le=1, description="Most requests sent to a second replica, of all to a service"
    )
    upstream_breaker_failures: int = Field(
        _BREAKER.failures, ge=1, description="Failures within ten seconds after which a replica is left alone"
    )
    upstream_breaker_seconds: float = Field(
        _BREAKER.longest_seconds, ge=1, description="Longest time that a replica is left alone"
    )
    webhook_key_file: Path = Field(
        description="Keys that webhooks' secrets are encrypted with: 64 random hexadecimal digits a line, the newest first"
    )
    webhook_sending: bool = Field(
        True, description="Whether this process may be the one that follows the feeds for webhooks and sends"
    )
    webhook_networks: Networks = Field(
        (), description="Networks that webhooks may point into although they are not public"
    )
    webhook_ports: Ports = Field(frozenset({443, 8443}), description="Ports that webhooks may point at")
    webhook_allow_http: bool = Field(False, description="Whether webhooks may point at http:// addresses")
    webhook_ca_file: Path | None = Field(
        None, description="Certificates (PEM) that webhooks' receivers may be vouched for by, beside the public ones"
    )

    @property
    def webhook_destinations(self) -> Destinations:
        """Where webhooks may point."""
        return Destinations(self.webhook_allow_http, self.webhook_ports, self.webhook_networks)

    @property
    def urls(self) -> dict[str, list[str]]:
        """Addresses of each service's replicas."""
        urls = {"registry": self.registry_url, "interventions": self.interventions_url, "scoring": self.scoring_url}
        return {service: [str(url) for url in each] for service, each in urls.items()}

    @property
    def quotas(self) -> dict[LimitClass, Quota]:
        """How often a caller may ask, by class of operations."""
        texts = {
            LimitClass.READ: self.limit_read,
            LimitClass.WRITE: self.limit_write,
            LimitClass.HEAVY: self.limit_heavy,
            LimitClass.SIGN_IN: self.limit_sign_in,
        }
        return {kind: Quota.parse(text) for kind, text in texts.items()}

    @property
    def strangers(self) -> Quota:
        """How often somebody may ask who does not say who he is."""
        return Quota.parse(self.limit_strangers)

    @property
    def ceiling_limits(self) -> CeilingLimits:
        """When the gateway as a whole has too much to do."""
        return CeilingLimits(lag_seconds=self.ceiling_lag_seconds)

    @model_validator(mode="after")
    def _plain_http_stays_here(self) -> Self:
        if self.session_plain_http and self.host not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(
                "KKB_SESSION_PLAIN_HTTP needs KKB_HOST on loopback: a session must not cross a network in clear"
            )
        return self

    @property
    def session_limits(self) -> SessionLimits:
        """How long sessions last."""
        return SessionLimits(longest=self.session_seconds, idle=self.session_idle_seconds)

    @property
    def oidc_key_limits(self) -> KeyLimits:
        """How long issuers' keys are kept."""
        return KeyLimits(renew=self.oidc_renew_seconds, keep=self.oidc_keep_seconds, pause=self.oidc_pause_seconds)

    @property
    def pool_limits(self) -> PoolLimits:
        """Limits of each service's pool of connections."""
        return PoolLimits(
            connections=self.upstream_connections,
            waiting=self.upstream_waiting,
            wait_seconds=self.upstream_wait_seconds,
            connect_seconds=self.upstream_connect_seconds,
            first_byte_seconds=self.upstream_first_byte_seconds,
            idle_seconds=self.upstream_idle_seconds,
        )

    @property
    def replica_limits(self) -> ReplicaLimits:
        """How replicas are watched."""
        return ReplicaLimits(probe_seconds=self.upstream_probe_seconds, retry_share=self.upstream_retry_share)

    @property
    def breaker_limits(self) -> BreakerLimits:
        """When a replica is left alone."""
        return BreakerLimits(failures=self.upstream_breaker_failures, longest_seconds=self.upstream_breaker_seconds)

    @property
    def waiting_pool_limits(self) -> PoolLimits:
        """Limits of each service's pool for requests that wait for something to happen."""
        return self.pool_limits.model_copy(update={"connections": self.upstream_followers})

    @property
    def forward_limits(self) -> ForwardLimits:
        """Limits of one request."""
        return ForwardLimits(
            body_bytes=self.max_body_bytes,
            total_seconds=self.total_seconds,
            own_seconds=self.upstream_first_byte_seconds,
            compress_bytes=self.compress_bytes,
        )

    @property
    def dressing_limits(self) -> DressingLimits:
        """What is told to browsers."""
        return DressingLimits(hsts_seconds=self.hsts_seconds, origins=self.cors_origins)
