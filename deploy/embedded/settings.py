"""Where the embedded platform keeps its data and which ports it uses.

Every field is a setting `KKB_<FIELD>`, from the environment or from the git-ignored file `.env` in the checkout.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.embedded.problems import StartProblem

CHECKOUT = Path(__file__).resolve().parents[2]

Port = Annotated[int, Field(ge=1, le=65535)]


class PortUse(NamedTuple):
    """One port: who listens on it, at which address, and the setting that moves it."""

    wanted_by: str
    host: str
    port: int
    setting: str


class EmbeddedSettings(BaseSettings):
    """Settings of `python -m deploy.up`; relative paths are taken from the checkout."""

    model_config = SettingsConfigDict(
        env_prefix="KKB_", env_file=CHECKOUT / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Path(".data")
    # Loaded once, on first start; false keeps made-up villages out of a real office's platform.
    demonstration: bool = True
    # Only the gateway is a public door; 0.0.0.0 opens it to the office network.
    gateway_host: str = "127.0.0.1"
    gateway_port: Port = 8080
    registry_port: Port = 8101
    interventions_port: Port = 8102
    scoring_port: Port = 8103
    gateway_ops_port: Port = 9100
    registry_ops_port: Port = 9101
    interventions_ops_port: Port = 9102
    scoring_ops_port: Port = 9103
    postgres_port: Port = 54329
    nats_port: Port = 42229

    @field_validator("data_dir")
    @classmethod
    def _from_the_checkout(cls, data_dir: Path) -> Path:
        return (CHECKOUT / data_dir.expanduser()).resolve()

    def port_uses(self) -> list[PortUse]:
        """All ports the platform listens on, in starting order."""
        uses = [
            PortUse("PostgreSQL", "127.0.0.1", self.postgres_port, "KKB_POSTGRES_PORT"),
            PortUse("NATS", "127.0.0.1", self.nats_port, "KKB_NATS_PORT"),
        ]
        for service in ("registry", "interventions", "scoring", "gateway"):
            host = self.gateway_host if service == "gateway" else "127.0.0.1"
            for field, what in (
                (f"{service}_port", service),
                (f"{service}_ops_port", f"{service} (health and metrics)"),
            ):
                address = host if field == f"{service}_port" else "127.0.0.1"
                uses.append(PortUse(what, address, getattr(self, field), f"KKB_{field.upper()}"))
        return uses


def read_settings() -> EmbeddedSettings:
    """Settings from environment and `.env`.

    Raises:
        StartProblem: a value is not usable; the line names the setting.
    """
    try:
        return EmbeddedSettings()
    except ValidationError as error:
        wrong = error.errors()[0]
        setting = "KKB_" + "_".join(str(part) for part in wrong["loc"]).upper()
        raise StartProblem(f"{setting}={wrong['input']!r} is not usable: {wrong['msg']}.") from None
