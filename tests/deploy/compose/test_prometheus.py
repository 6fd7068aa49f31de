"""Prometheus asks every process, in containers and beside `make up`."""

import yaml

from deploy.embedded.settings import EmbeddedSettings
from tests.deploy.compose.conftest import PROCESSES, REPOSITORY


class TestPrometheus:
    @staticmethod
    def targets(file: str) -> dict[str, list[str]]:
        jobs = yaml.safe_load((REPOSITORY / "deploy/prometheus" / file).read_text())["scrape_configs"]
        platform = next(job for job in jobs if job["job_name"] == "kampung-kb")
        return {entry["labels"]["service"]: entry["targets"] for entry in platform["static_configs"]}

    def test_asks_every_process_in_containers(self, image_environment: dict[str, str]) -> None:
        port = image_environment["KKB_OPS_PORT"]
        assert self.targets("prometheus.yml") == {process: [f"{process}:{port}"] for process in PROCESSES}

    def test_asks_every_process_of_make_up(self) -> None:
        fields = EmbeddedSettings.model_fields
        ports = {process: fields[f"{process}_ops_port"].default for process in PROCESSES}
        assert self.targets("embedded.yml") == {p: [f"127.0.0.1:{port}"] for p, port in ports.items()}
