"""What docker-compose.yml says about each container and about the networks between them."""

import re
from typing import Any

import pytest

from kit.settings import ServiceSettings
from tests.deploy.compose.conftest import JOBS, PROCESSES, REPOSITORY, SERVERS


class TestContainers:
    def test_which_there_are(self, compose: dict[str, Any]) -> None:
        assert set(compose["services"]) == {*SERVERS, *JOBS, *PROCESSES}

    @pytest.mark.parametrize("service", [*SERVERS, *JOBS, *PROCESSES])
    def test_is_hardened(self, compose: dict[str, Any], service: str) -> None:
        definition = compose["services"][service]
        assert definition["read_only"] is True
        assert definition["cap_drop"] == ["ALL"]
        assert definition["security_opt"] == ["no-new-privileges:true"]
        assert definition["pids_limit"] > 0
        assert definition["logging"]["driver"] == "local"
        assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(definition)
        assert "docker.sock" not in str(definition)

    @pytest.mark.parametrize("service", SERVERS)
    def test_a_server_does_not_run_as_root(self, compose: dict[str, Any], service: str) -> None:
        assert compose["services"][service]["user"].partition(":")[0] not in {"", "0", "root"}

    def test_the_image_does_not_run_as_root(self, compose: dict[str, Any], dockerfile: str) -> None:
        final = dockerfile.rpartition("\nFROM ")[2]
        user = re.findall(r"^USER (\d+):(\d+)$", final, re.MULTILINE)
        assert len(user) == 1
        assert "0" not in user[0]
        assert all("user" not in compose["services"][service] for service in (*JOBS, *PROCESSES))

    @pytest.mark.parametrize("service", [*SERVERS, *PROCESSES])
    def test_keeps_running_and_stops_in_time(self, compose: dict[str, Any], service: str) -> None:
        definition = compose["services"][service]
        assert definition["restart"] == "unless-stopped"
        assert definition["stop_grace_period"]
        assert definition["mem_limit"]

    def test_a_process_has_longer_to_stop_than_it_drains(self, compose: dict[str, Any]) -> None:
        drains = ServiceSettings.model_fields["drain_seconds"].default
        for process in PROCESSES:
            assert int(compose["services"][process]["stop_grace_period"].removesuffix("s")) > drains

    def test_who_runs_is_asked_for_its_health_and_a_job_is_not(self, compose: dict[str, Any], dockerfile: str) -> None:
        assert re.search(r"^HEALTHCHECK .*--interval", dockerfile, re.MULTILINE)
        for service, definition in compose["services"].items():
            if service in SERVERS:
                assert definition["healthcheck"]["test"][0] == "CMD"
            else:
                assert ("healthcheck" in definition) == (service in JOBS)
        assert all(compose["services"][job]["healthcheck"] == {"disable": True} for job in JOBS)

    def test_they_start_in_order(self, compose: dict[str, Any]) -> None:
        waits = {
            service: {other: wait["condition"] for other, wait in definition.get("depends_on", {}).items()}
            for service, definition in compose["services"].items()
        }
        prepared = {"prepare": "service_completed_successfully", "migrate": "service_completed_successfully"}
        assert waits["migrate"] == {"postgres": "service_healthy"}
        assert waits["nats"] == {"prepare": "service_completed_successfully"}
        for process in ("registry", "interventions", "scoring"):
            assert waits[process] == {**prepared, "nats": "service_started"}
        assert waits["gateway"] == prepared | dict.fromkeys(("registry", "interventions", "scoring"), "service_healthy")

    def test_images_are_official_names_without_a_registry(self, compose: dict[str, Any], dockerfile: str) -> None:
        images = {definition["image"] for definition in compose["services"].values()}
        images |= set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE))
        assert all(re.fullmatch(r"[a-z0-9/-]+(:[\w.${}-]+)?", image) for image in images)

    def test_what_is_mounted_from_the_checkout_exists_and_cannot_be_written(self, compose: dict[str, Any]) -> None:
        volumes = [v for definition in compose["services"].values() for v in definition.get("volumes", [])]
        mounted = [volume for volume in volumes if volume.startswith(".")]
        assert len(mounted) == 4
        for volume in mounted:
            source, _target, mode = volume.split(":")
            assert (REPOSITORY / source).exists()
            assert mode == "ro"
        named = {volume.partition(":")[0] for volume in volumes} - {m.partition(":")[0] for m in mounted}
        assert named == set(compose["volumes"])


class TestNetworks:
    def test_only_gateway_and_prometheus_have_ports_and_prometheus_on_this_machine_only(
        self, compose: dict[str, Any]
    ) -> None:
        ports = {s: d["ports"] for s, d in compose["services"].items() if "ports" in d}
        assert ports == {"gateway": ["127.0.0.1:8080:8000"], "prometheus": ["127.0.0.1:9090:9090"]}

    def test_nobody_else_is_in_a_network_with_a_way_out(self, compose: dict[str, Any]) -> None:
        open_networks = {name for name, network in compose["networks"].items() if not (network or {}).get("internal")}
        inside = {
            service
            for service, definition in compose["services"].items()
            if open_networks & set(definition.get("networks", [])) or "network_mode" in definition
        }
        assert inside == {"gateway", "prometheus", "prepare"}
        assert compose["services"]["prepare"]["network_mode"] == "none"

    def test_prometheus_cannot_reach_the_data(self, compose: dict[str, Any]) -> None:
        networks = {service: set(d.get("networks", [])) for service, d in compose["services"].items()}
        assert not networks["prometheus"] & (networks["postgres"] | networks["nats"])
        assert all(networks["prometheus"] & networks[process] for process in PROCESSES)
