"""The four processes of the platform, and the short-lived ones that prepare their databases and load the demonstration."""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from deploy.embedded.databases import SERVICES
from deploy.embedded.processes import Child
from deploy.embedded.settings import CHECKOUT, EmbeddedSettings

MODULES = {
    "registry": "services.registry",
    "interventions": "services.interventions",
    "scoring": "services.scoring",
    "gateway": "gateway",
}


@dataclass(frozen=True)
class Surroundings:
    """What the processes need to know of what was started before them."""

    settings: EmbeddedSettings
    database_urls: Mapping[str, str]
    nats_url: str

    @property
    def secrets_dir(self) -> Path:
        return self.settings.data_dir / "secrets"

    @property
    def admin_key_file(self) -> Path:
        return self.secrets_dir / "admin.key"

    @property
    def gateway_url(self) -> str:
        """As a client on this machine reaches it."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
        host = everywhere.get(self.settings.gateway_host, self.settings.gateway_host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.gateway_port}"

    def environment(self, service: str) -> dict[str, str]:
        """A process's settings: ours on top of the caller's environment and `.env` (log level, pool sizes and the like)."""
        settings = self.settings
        own = {
            "KKB_HOST": settings.gateway_host if service == "gateway" else "127.0.0.1",
            "KKB_PORT": str(getattr(settings, f"{service}_port")),
            "KKB_OPS_HOST": "127.0.0.1",
            "KKB_OPS_PORT": str(getattr(settings, f"{service}_ops_port")),
            "KKB_DATABASE_URL": self.database_urls[service],
            "KKB_NATS_URL": self.nats_url,
            # Made by the preparation; its names are not imported from there because that would bring SQLAlchemy along.
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(self.secrets_dir / "identity-public.pem"),
        }
        if service == "gateway":
            own |= {
                "KKB_IDENTITY_PRIVATE_KEY_FILE": str(self.secrets_dir / "identity-private.pem"),
                "KKB_REGISTRY_URL": f"http://127.0.0.1:{settings.registry_port}",
                "KKB_INTERVENTIONS_URL": f"http://127.0.0.1:{settings.interventions_port}",
                "KKB_SCORING_URL": f"http://127.0.0.1:{settings.scoring_port}",
                "KKB_ADMIN_KEY_FILE": str(self.admin_key_file),
                "KKB_WEBHOOK_KEY_FILE": str(self.secrets_dir / "webhooks.key"),
            }
        return {**_from_env_file(), **os.environ, **own}


def preparation(surroundings: Surroundings, held_descriptors: Sequence[int]) -> Child:
    """The process that migrates all databases, makes the keys and ends by itself."""
    told = {f"KKB_DATABASE_URL_{service.upper()}": url for service, url in surroundings.database_urls.items()}
    return Child(
        "prepare",
        [sys.executable, "-m", "deploy.embedded.prepare"],
        surroundings.settings.data_dir / "logs" / "prepare.log",
        environment={**os.environ, **told, "KKB_SECRETS_DIR": str(surroundings.secrets_dir)},
        working_directory=CHECKOUT,
        held_descriptors=held_descriptors,
    )


def demonstration(surroundings: Surroundings, held_descriptors: Sequence[int]) -> Child:
    """The process that loads the demonstration district through the gateway and ends by itself."""
    command = ["-m", "deploy.demo.load", "--url", surroundings.gateway_url]
    return Child(
        "demonstration",
        [sys.executable, *command, "--key-file", str(surroundings.admin_key_file)],
        surroundings.settings.data_dir / "logs" / "demonstration.log",
        working_directory=CHECKOUT,
        held_descriptors=held_descriptors,
    )


def services(surroundings: Surroundings, held_descriptors: Sequence[int]) -> dict[str, Child]:
    """The four processes, the gateway last."""
    return {
        service: Child(
            service,
            [sys.executable, "-m", MODULES[service]],
            surroundings.settings.data_dir / "logs" / f"{service}.log",
            environment=surroundings.environment(service),
            working_directory=CHECKOUT,
            held_descriptors=held_descriptors,
        )
        for service in SERVICES
    }


def answers_ready(ops_port: int) -> bool:
    """True if the process behind this operators' port says 200 at /readyz."""
    connection = http.client.HTTPConnection("127.0.0.1", ops_port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _from_env_file() -> dict[str, str]:
    """The KKB_ settings of `.env`, which the processes themselves do not read."""
    found = dotenv_values(CHECKOUT / ".env")
    return {name: value for name, value in found.items() if name.startswith("KKB_") and value}
