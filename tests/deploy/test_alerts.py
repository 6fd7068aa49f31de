"""Alert rules: each fires when it should, has its runbook, and speaks of metrics that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import gateway.audit.metrics
import gateway.deliveries.metrics
import gateway.metrics
import kit.metrics
import services.registry.imports.metrics
import services.scoring.assessments.metrics

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
REPOSITORY = PROMETHEUS.parents[1]
OPERATING = REPOSITORY / "docs/operating"
RUNBOOKS = OPERATING / "runbooks"
MODULES = (
    kit.metrics,
    gateway.metrics,
    gateway.audit.metrics,
    gateway.deliveries.metrics,
    services.registry.imports.metrics,
    services.scoring.assessments.metrics,
)

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: Debian's package prometheus brings it"
)


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text()) for file in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def shown() -> dict[str, set[str]]:
    """Names of our metrics as Prometheus shows them, with their labels."""
    metrics = [one for module in MODULES for one in vars(module).values() if isinstance(one, MetricWrapperBase)]
    return {
        family.name + ("_total" if family.type == "counter" else ""): set(metric._labelnames)
        for metric in metrics
        for family in metric.describe()
    }


def named_in(text: str) -> set[str]:
    """Our metrics that a text names, histograms without their suffix."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bkkb_[a-z_]+[a-z](?![\w/-])", text)}


ALERTS = {rule["alert"]: rule for rule in rules()}


class TestRules:
    @pytest.mark.parametrize("name", ALERTS)
    def test_says_how_bad_it_is_what_it_means_and_where_to_read_on(self, name: str) -> None:
        rule = ALERTS[name]
        assert name.startswith("Kkb")
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["for"]
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"docs/operating/runbooks/{name}.md"

    def test_names_are_given_once(self) -> None:
        assert len(ALERTS) == len(rules())

    @pytest.mark.parametrize("name", ALERTS)
    def test_speaks_of_metrics_and_labels_that_exist(self, name: str) -> None:
        rule, metrics = ALERTS[name], shown()
        named = named_in(rule["expr"])
        assert named <= set(metrics)
        known = {"service", "instance", "job", "le"}.union(*(metrics[metric] for metric in named))
        used = set(re.findall(r"(\w+)\s*(?:=~|!=|=)\s*\"", rule["expr"]))
        for labels in re.findall(r"(?:by|on) \(([^)]*)\)", rule["expr"]):
            used |= {label.strip() for label in labels.split(",")}
        text = rule["annotations"]["summary"] + rule["annotations"]["description"]
        assert used | set(re.findall(r"\$labels\.(\w+)", text)) <= known

    def test_all_our_metrics_are_looked_for(self) -> None:
        everywhere = {family.name for family in REGISTRY.collect() if family.name.startswith("kkb_")}
        assert everywhere == {name.removesuffix("_total") for name in shown()}


class TestRunbooks:
    def test_one_for_each_alert_and_no_other(self) -> None:
        assert {file.stem for file in RUNBOOKS.glob("*.md")} == {*ALERTS, "README"}

    @pytest.mark.parametrize("name", ALERTS)
    def test_answers_the_four_questions(self, name: str) -> None:
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert re.findall(r"^#+ (.*)", text, re.MULTILINE) == [
            name,
            "What it means",
            "How to see it",
            "What to do",
            "It is over when",
        ]
        assert f"{ALERTS[name]['labels']['severity'].capitalize()}" in text.partition("## ")[0]

    @pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
    def test_names_nothing_that_is_not_there(self, page: Path) -> None:
        text = page.read_text()
        assert named_in(text) <= set(shown()) | {"kkb_registry", "kkb_gateway"}  # databases and their roles
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (page.parent / target).exists(), target
        for path in re.findall(r"`((?:deploy|docs|kit|services)/[\w./-]+)`", text):
            assert (REPOSITORY / path).exists(), path

    def test_the_index_names_each(self) -> None:
        assert set(re.findall(r"\((Kkb\w+)\.md\)", (RUNBOOKS / "README.md").read_text())) == set(ALERTS)


class TestDocumentation:
    def test_the_table_of_metrics_is_complete_and_true(self) -> None:
        rows = re.findall(r"^\| `(kkb_\w+)` \|([^|]*)\|", (OPERATING / "README.md").read_text(), re.MULTILINE)
        documented = {name: {label.strip() for label in labels.split(",") if label.strip()} for name, labels in rows}
        assert documented == shown()
        assert len(rows) == len(documented)


class TestConfiguration:
    @pytest.mark.parametrize("name", ["prometheus.yml", "embedded.yml"])
    def test_includes_the_rules(self, name: str) -> None:
        assert yaml.safe_load((PROMETHEUS / name).read_text())["rule_files"] == ["rules/*.yml"]

    def test_the_rules_are_mounted_where_the_configuration_looks_for_them(self) -> None:
        compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
        volumes = compose["services"]["prometheus"]["volumes"]
        assert "./deploy/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro" in volumes
        assert "./deploy/prometheus/rules:/etc/prometheus/rules:ro" in volumes


class TestPromtool:
    def promtool(self, *arguments: str | Path) -> str:
        done = subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @needs_promtool
    @pytest.mark.parametrize("name", ["prometheus.yml", "embedded.yml"])
    def test_accepts_the_configuration_and_its_rules(self, name: str) -> None:
        output = self.promtool("check", "config", PROMETHEUS / name)
        assert sum(map(int, re.findall(r"SUCCESS: (\d+) rules found", output))) == len(ALERTS)

    @needs_promtool
    @pytest.mark.parametrize("file", sorted((PROMETHEUS / "tests").glob("*.yml")), ids=lambda file: file.stem)
    def test_rules_do_what_their_tests_say(self, file: Path) -> None:
        assert "SUCCESS" in self.promtool("test", "rules", file)

    @pytest.mark.parametrize("name", ALERTS)
    def test_each_alert_is_seen_quiet_and_firing(self, name: str) -> None:
        files = [yaml.safe_load(file.read_text()) for file in sorted((PROMETHEUS / "tests").glob("*.yml"))]
        expressions = [
            (one["expr"], bool(one["exp_samples"]))
            for file in files
            for test in file["tests"]
            for one in test.get("promql_expr_test", [])
        ]
        firing = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
        assert {(firing, False), (firing, True)} <= set(expressions)
