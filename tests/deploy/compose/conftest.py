"""The compose file as docker compose would read it, with the passwords of a newly written .env."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
SERVERS = ("nats", "postgres", "prometheus")
JOBS = ("migrate", "prepare")
PROCESSES = ("gateway", "interventions", "registry", "scoring")
VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}")


def write_env(file: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make env` runs."""
    script = REPOSITORY / "deploy/compose/env.sh"
    return subprocess.run(["sh", script, file], check=False, capture_output=True, text=True)


def variables_in(file: Path) -> dict[str, str]:
    """The variables of a .env."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a newly written .env."""
    file = tmp_path_factory.mktemp("compose") / ".env"
    done = write_env(file)
    assert done.returncode == 0, done.stderr
    return variables_in(file)


@pytest.fixture(scope="session")
def raw() -> dict[str, Any]:
    """The compose file with its variables unresolved."""
    document: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return document


@pytest.fixture(scope="session")
def compose(raw: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """The compose file with the variables of .env in place."""

    def resolved(value: Any) -> Any:
        match value:
            case str():
                return VARIABLE.sub(lambda found: env.get(found[1]) or (found[3] if found[2] == ":-" else ""), value)
            case list():
                return [resolved(item) for item in value]
            case dict():
                return {name: resolved(item) for name, item in value.items()}
        return value

    document: dict[str, Any] = resolved(raw)
    return document


@pytest.fixture(scope="session")
def dockerfile() -> str:
    """The Dockerfile's text."""
    return (REPOSITORY / "Dockerfile").read_text()


@pytest.fixture(scope="session")
def image_environment(dockerfile: str) -> dict[str, str]:
    """What the image itself sets."""
    block = re.search(r"^ENV ((?:.*\\\n)*.*)$", dockerfile, re.MULTILINE)
    assert block is not None
    return dict(part.split("=", 1) for part in block[1].replace("\\\n", " ").split())
