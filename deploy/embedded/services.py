"""The four processes of the platform, their migrations and the keys they share."""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import migrate
from deploy.embedded.databases import SERVICES
from deploy.embedded.placement import make_folder
from deploy.embedded.processes import Child
from deploy.embedded.settings import CHECKOUT, EmbeddedSettings
from kit.identity import write_key_pair

MODULES = {
    "registry": "services.registry",
    "interventions": "services.interventions",
    "scoring": "services.scoring",
    "gateway": "gateway",
}


@dataclass(frozen=True)
class IdentityKeys:
    """Files of the Ed25519 pair: the gateway signs callers' identities, the services check them."""

    private: Path
    public: Path


def ensure_identity_keys(secrets_dir: Path) -> IdentityKeys:
    """Makes the pair once; half a pair (an interrupted first start) is made anew."""
    make_folder(secrets_dir, 0o700)
    keys = IdentityKeys(secrets_dir / "identity-private.pem", secrets_dir / "identity-public.pem")
    if not (keys.private.exists() and keys.public.exists()):
        unfinished = IdentityKeys(keys.private.with_suffix(".new"), keys.public.with_suffix(".new"))
        write_key_pair(unfinished.private, unfinished.public)
        unfinished.private.rename(keys.private)
        unfinished.public.rename(keys.public)
    return keys


@dataclass(frozen=True)
class Surroundings:
    """What the processes need to know of what was started before them."""

    settings: EmbeddedSettings
    database_urls: Mapping[str, str]
    nats_url: str
    keys: IdentityKeys

    @property
    def admin_key_file(self) -> Path:
        return self.settings.data_dir / "secrets" / "admin.key"

    @property
    def gateway_url(self) -> str:
        host = "127.0.0.1" if self.settings.gateway_host in {"0.0.0.0", "::"} else self.settings.gateway_host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.settings.gateway_port}"

    def environment(self, service: str) -> dict[str, str]:
        """A process's settings: ours on top of the caller's environment (log level, pool sizes and the like)."""
        settings = self.settings
        own = {
            "KKB_HOST": settings.gateway_host if service == "gateway" else "127.0.0.1",
            "KKB_PORT": str(getattr(settings, f"{service}_port")),
            "KKB_OPS_HOST": "127.0.0.1",
            "KKB_OPS_PORT": str(getattr(settings, f"{service}_ops_port")),
            "KKB_DATABASE_URL": self.database_urls[service],
            "KKB_NATS_URL": self.nats_url,
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(self.keys.public),
        }
        if service == "gateway":
            own |= {
                "KKB_IDENTITY_PRIVATE_KEY_FILE": str(self.keys.private),
                "KKB_REGISTRY_URL": f"http://127.0.0.1:{settings.registry_port}",
                "KKB_INTERVENTIONS_URL": f"http://127.0.0.1:{settings.interventions_port}",
                "KKB_SCORING_URL": f"http://127.0.0.1:{settings.scoring_port}",
                "KKB_ADMIN_KEY_FILE": str(self.admin_key_file),
            }
        return {**os.environ, **own}


def migration(surroundings: Surroundings, held_descriptors: Sequence[int]) -> Child:
    """The process that brings all databases to the newest version and ends by itself."""
    return Child(
        "migrate",
        [sys.executable, "-m", "deploy.embedded.migrate"],
        surroundings.settings.data_dir / "logs" / "migrate.log",
        environment={**os.environ, **migrate.environment(surroundings.database_urls)},
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
