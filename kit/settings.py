"""Settings of a process, read from the environment (prefix KKB_). No setting that is a secret has a default."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, PostgresDsn, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PLACEHOLDERS = frozenset(
    {"changeme", "change-me", "change_me", "password", "secret", "postgres", "example", "placeholder", "todo"}
)
"""What examples on the internet write where a password belongs."""


def _no_placeholder(address: str) -> None:
    """Refuse an address whose password nobody has set.

    Raises:
        ValueError: it is one of those that everybody tries first.
    """
    for one in address.split(","):
        password = urlsplit(one.strip()).password
        if password is not None and (not password or password.lower() in _PLACEHOLDERS or set("<>${}") & set(password)):
            raise ValueError("the password is a placeholder: set a real one")


class ProcessSettings(BaseSettings):
    """What every process needs to know."""

    model_config = SettingsConfigDict(env_prefix="KKB_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address the API listens on")
    port: int = Field(description="Port of the API")
    ops_host: str = Field("127.0.0.1", description="Address of /livez, /readyz and /metrics")
    ops_port: int = Field(description="Port of /livez, /readyz and /metrics")
    database_url: PostgresDsn = Field(description="postgresql+asyncpg://role:password@host:port/database")
    database_pool: int = Field(10, ge=2, le=100, description="Connections kept per process")
    database_timeout: float = Field(
        30.0, gt=0, description="Longest single statement, and longest silence within a transaction, seconds"
    )
    request_seconds: float = Field(
        20.0, gt=0, description="Longest transaction of a request; then it is rolled back and answered 503"
    )
    identity_public_key_file: Path = Field(
        description="Ed25519 public keys (PEM) that the gateway's tokens are checked with; read again when it changes"
    )
    drain_notice_seconds: float = Field(
        0.0, ge=0, description="How long requests are still taken after SIGTERM, while readiness already says no"
    )
    drain_seconds: float = Field(10.0, ge=0, description="How long in-flight requests may take after that")
    log_level: str = "INFO"
    failpoints_file: Path | None = Field(None, description="Fault tests only: file that arms a point to be killed at")

    @field_validator("database_url")
    @classmethod
    def _database_password_is_set(cls, url: PostgresDsn) -> PostgresDsn:
        _no_placeholder(unquote(str(url)))
        return url


class ServiceSettings(ProcessSettings):
    """What a service that speaks in events needs to know."""

    nats_url: str = Field(description="nats://user:password@host:port, several separated by commas")
    event_attempts: int = Field(
        8, ge=1, description="Deliveries of an event that cannot be handled before it is put aside"
    )
    changes_waiters: int = Field(
        100, ge=0, description="Most clients that wait for an event of the change feed at once"
    )
    event_retry_seconds: float = Field(1.0, gt=0, description="Wait before the second delivery; doubles with each")
    event_ack_seconds: float = Field(
        30.0, gt=0, description="After how long what a killed process had in hand is delivered to another"
    )

    @field_validator("nats_url")
    @classmethod
    def _nats_password_is_set(cls, url: str) -> str:
        _no_placeholder(url)
        return url
