"""The processes and jobs find in their container what they need."""

import importlib.util
import os
import re
from typing import Any

import pytest

from gateway.settings import GatewaySettings
from kit import migrate
from kit.settings import ServiceSettings
from tests.deploy.compose.conftest import JOBS, PROCESSES


def settings_of(process: str) -> type[ServiceSettings]:
    return GatewaySettings if process == "gateway" else ServiceSettings


class TestProcesses:
    @pytest.mark.parametrize("process", PROCESSES)
    def test_finds_all_its_settings_and_nothing_else(
        self, compose: dict[str, Any], process: str, monkeypatch: pytest.MonkeyPatch, image_environment: dict[str, str]
    ) -> None:
        told = image_environment | compose["services"][process]["environment"]
        for name in [name for name in os.environ if name.startswith("KKB_")]:
            monkeypatch.delenv(name)
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        settings = settings_of(process)()
        assert (settings.host, settings.ops_host) == ("0.0.0.0",) * 2  # noqa: S104 - inside the container
        assert {name for name in told if name.startswith("KKB_")} <= {
            f"KKB_{name.upper()}" for name in settings_of(process).model_fields
        }

    def test_the_gateway_finds_the_services(self, compose: dict[str, Any], image_environment: dict[str, str]) -> None:
        environment, port = compose["services"]["gateway"]["environment"], image_environment["KKB_PORT"]
        for service in ("registry", "interventions", "scoring"):
            assert environment[f"KKB_{service.upper()}_URL"] == f"http://{service}:{port}"
        assert compose["services"]["gateway"]["ports"][0].endswith(f":{port}")

    def test_the_migration_job_knows_every_database(self, compose: dict[str, Any]) -> None:
        processes = {f"KKB_DATABASE_URL_{process.upper()}": process for process in PROCESSES}
        assert compose["services"]["migrate"]["environment"] == {
            variable: compose["services"][process]["environment"]["KKB_DATABASE_URL"]
            for variable, process in processes.items()
        }

    def test_the_migration_job_says_which_address_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for process in PROCESSES:
            monkeypatch.setenv(f"KKB_DATABASE_URL_{process.upper()}", "postgresql+asyncpg://nobody@127.0.0.1:1/none")
        monkeypatch.delenv("KKB_DATABASE_URL_SCORING")
        assert migrate.main(["all"]) == 2
        assert capsys.readouterr().err == "Not set: KKB_DATABASE_URL_SCORING; which database is to be migrated?\n"

    def test_every_command_is_a_module_that_is_in_the_image(self, compose: dict[str, Any], dockerfile: str) -> None:
        modules = {s: compose["services"][s]["command"][:3][-1] for s in (*JOBS, *PROCESSES)}
        copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE))
        for module in modules.values():
            assert importlib.util.find_spec(module) is not None
            assert module.partition(".")[0] in copied

    def test_files_of_the_image_lie_where_the_settings_look(self, compose: dict[str, Any], dockerfile: str) -> None:
        prepared = set(re.findall(r"/var/lib/kkb/[\w-]+", dockerfile))
        mounted = set(re.findall(r"/var/lib/kkb/[\w-]+(?=(?::ro)?['\"])", str(compose["services"])))
        assert prepared == mounted | {"/var/lib/kkb/nats"}
