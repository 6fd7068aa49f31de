"""Settings of the gateway, read from the environment (prefix KKB_)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, HttpUrl

from gateway.proxy.connections import PoolLimits
from gateway.proxy.forwarding import ForwardLimits
from kit.settings import ProcessSettings

_POOL, _FORWARD = PoolLimits(), ForwardLimits()


class GatewaySettings(ProcessSettings):
    """What the gateway needs to know besides what every process does."""

    identity_private_key_file: Path = Field(
        description="Ed25519 private key (PEM) that callers' identities are signed with"
    )
    registry_url: HttpUrl = Field(description="http://host:port of the registry")
    interventions_url: HttpUrl = Field(description="http://host:port of the interventions service")
    scoring_url: HttpUrl = Field(description="http://host:port of the scoring service")
    admin_key_file: Path | None = Field(
        None, description="Where the first administrator's key is written (mode 0600) when there is no valid one"
    )
    key_cache_seconds: float = Field(30.0, gt=0, description="How long a checked key is remembered; revocation is told")
    max_body_bytes: int = Field(_FORWARD.body_bytes, ge=1, description="Largest request body")
    total_seconds: float = Field(_FORWARD.total_seconds, gt=0, description="Longest request, both bodies included")
    upstream_connections: int = Field(_POOL.connections, ge=1, description="Most connections to one service")
    upstream_followers: int = Field(
        100, ge=1, description="Most connections to one service for requests that wait for changes, beside the others"
    )
    upstream_waiting: int = Field(_POOL.waiting, ge=0, description="Most requests waiting for a connection")
    upstream_wait_seconds: float = Field(_POOL.wait_seconds, gt=0)
    upstream_connect_seconds: float = Field(_POOL.connect_seconds, gt=0)
    upstream_first_byte_seconds: float = Field(_POOL.first_byte_seconds, gt=0)
    upstream_idle_seconds: float = Field(_POOL.idle_seconds, gt=0, description="Below the services' keep-alive time")

    @property
    def urls(self) -> dict[str, str]:
        """Services by name."""
        urls = {"registry": self.registry_url, "interventions": self.interventions_url, "scoring": self.scoring_url}
        return {service: str(url) for service, url in urls.items()}

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
    def waiting_pool_limits(self) -> PoolLimits:
        """Limits of each service's pool for requests that wait for something to happen."""
        return self.pool_limits.model_copy(update={"connections": self.upstream_followers})

    @property
    def forward_limits(self) -> ForwardLimits:
        """Limits of one request."""
        return ForwardLimits(body_bytes=self.max_body_bytes, total_seconds=self.total_seconds)
