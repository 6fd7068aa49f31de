"""Nothing has a default password, everybody gets only what he needs."""

import re
import stat
from pathlib import Path
from typing import Any

from deploy.embedded.settings import EmbeddedSettings
from gateway.settings import GatewaySettings
from tests.deploy.compose.conftest import PROCESSES, VARIABLE, variables_in, write_env


class TestEnv:
    def test_only_its_owner_can_read_it(self, tmp_path: Path) -> None:
        assert write_env(tmp_path / ".env").returncode == 0
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == [".env"]

    def test_an_existing_one_stays(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("A=1\n")
        done = write_env(tmp_path / ".env")
        assert done.returncode == 1
        assert "is left as it is" in done.stderr
        assert (tmp_path / ".env").read_text() == "A=1\n"

    def test_passwords_are_long_letters_only_and_all_different(self, tmp_path: Path, env: dict[str, str]) -> None:
        write_env(tmp_path / ".env")
        passwords = [*env.values(), *variables_in(tmp_path / ".env").values()]
        assert all(re.fullmatch("[A-Za-z]{40}", password) for password in passwords)
        assert len(set(passwords)) == len(passwords)

    def test_holds_just_what_the_compose_file_asks_for(self, raw: dict[str, Any], env: dict[str, str]) -> None:
        asked = {name for name, kind, _ in VARIABLE.findall(str(raw)) if kind == ":?"}
        assert asked == set(env)

    def test_settings_of_make_up_are_not_among_them(self, env: dict[str, str]) -> None:
        known = {f"KKB_{name.upper()}" for name in (EmbeddedSettings.model_fields | GatewaySettings.model_fields)}
        assert not known & set(env)


class TestSecrets:
    def test_no_password_has_a_default(self, raw: dict[str, Any]) -> None:
        uses = [(name, kind, says) for name, kind, says in VARIABLE.findall(str(raw)) if name.endswith("PASSWORD")]
        assert len(uses) > len({name for name, _, _ in uses})
        assert {(kind, says) for _, kind, says in uses} == {(":?", "run make env")}

    def test_every_password_in_an_address_is_a_variable(self, raw: dict[str, Any]) -> None:
        addresses = re.findall(r"\w://\w+:([^@']+)@", str(raw))
        assert addresses
        assert all(VARIABLE.fullmatch(password) for password in addresses)

    def test_a_container_gets_its_own_passwords_only(self, compose: dict[str, Any], env: dict[str, str]) -> None:
        held = {
            service: {name for name, value in env.items() if value in str(definition.get("environment"))}
            for service, definition in compose["services"].items()
        }
        databases = {f"{process.upper()}_DATABASE_PASSWORD" for process in PROCESSES}
        streams = {f"{process.upper()}_NATS_PASSWORD" for process in PROCESSES if process != "gateway"}
        assert held == {
            "postgres": databases | {"POSTGRES_PASSWORD"},
            "nats": streams,
            "prepare": set(),
            "migrate": databases,
            "registry": {"REGISTRY_DATABASE_PASSWORD", "REGISTRY_NATS_PASSWORD"},
            "interventions": {"INTERVENTIONS_DATABASE_PASSWORD", "INTERVENTIONS_NATS_PASSWORD"},
            "scoring": {"SCORING_DATABASE_PASSWORD", "SCORING_NATS_PASSWORD"},
            "gateway": {"GATEWAY_DATABASE_PASSWORD"},
            "prometheus": set(),
        }

    def test_the_signing_key_is_mounted_into_the_gateway_only(self, compose: dict[str, Any]) -> None:
        mounted = {
            service: [volume for volume in definition.get("volumes", []) if volume.startswith("identity:")]
            for service, definition in compose["services"].items()
        }
        assert {service: volumes for service, volumes in mounted.items() if volumes} == {
            "prepare": ["identity:/var/lib/kkb/identity"],
            "gateway": ["identity:/var/lib/kkb/identity:ro"],
        }
