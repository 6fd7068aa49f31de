"""A Python client, generated from the committed contract, runs the README's quick start against the whole platform."""

from __future__ import annotations

import asyncio
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.lint_contract import CONTRACT
from tests.conftest import eventually
from tests.security.conftest import Open

PLACE = "33.24.01.2001"
CONFIG = """\
post_hooks: []
content_type_overrides:
  application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: application/octet-stream
  application/gzip: application/octet-stream
  application/jsonl: application/octet-stream
  text/csv: application/octet-stream
"""

Operation = Callable[[str], Any]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The generated package's name, importable, and what the generator said."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text(CONFIG)
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--path", str(CONTRACT)]
    done = subprocess.run(
        [*command, "--config", str(folder / "config.yml"), "--meta", "none", "--output-path", str(folder / "kkb_client")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield "kkb_client", done.stdout + done.stderr
    sys.path.remove(str(folder))


def test_every_operation_has_its_function(generated: tuple[str, str]) -> None:
    assert "Endpoint will not be generated" not in generated[1], generated[1]
    lost = set(re.findall(r"Unable to process schema /components/schemas/(\w+)", generated[1]))
    assert lost <= {"Supposed"}, "the generator takes the member `facts` of Supposed for the schema SupposedFacts"


async def test_the_quick_start(generated: tuple[str, str], front: Open) -> None:
    package = generated[0]
    models = importlib.import_module(f"{package}.models")
    client = importlib.import_module(f"{package}.client").AuthenticatedClient(
        base_url=front.platform.url, token=front.platform.key
    )

    async def call(operation: str, *path: str, **given: Any) -> Any:
        function = importlib.import_module(f"{package}.api.{operation}").sync_detailed
        answer = await asyncio.to_thread(function, *path, client=client, **given)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    me = await call("callers.get_me")
    assert "keys:manage" in [scope.value for scope in me.scopes]

    draft = models.VillageIn(region_code=PLACE, name="Kampung KB Contoh", launch_year=2019)
    village = await call("villages.register_village", body=draft, idempotency_key="my-first-village")
    again = await call("villages.register_village", body=draft, idempotency_key="my-first-village")
    assert village.id == again.id

    facts = models.ProfileFacts.from_dict(
        {"pokja": True, "pokja_members": 20, "funding_sources": ["dana_desa", "apbd"]}
    )
    report = models.ReportInProfileFacts(period="2025-09", facts=facts)
    await call("reports.report_profile", PLACE, body=report)

    async def assessed() -> bool:
        function = importlib.import_module(f"{package}.api.assessments.get_assessment").sync_detailed
        answer = await asyncio.to_thread(function, PLACE, client=client)
        return bool(answer.status_code == 200)

    await eventually(assessed)
    assessment = await call("assessments.get_assessment", PLACE)
    assert assessment.village.region_code == PLACE
    counts = await call("assessments.get_class_counts", region="33.24")
    assert counts.total.total == 1

    key = models.KeyIn.from_dict(
        {"name": "OPD", "owner": "Dinas", "roles": ["officer"], "region": "33.24", "expires_at": "2037-12-31T00:00:00Z"}
    )
    issued = await call("keys.issue_key", body=key)
    assert issued.key.startswith("kkb_")

    changes = await call("changes.list_registry_changes", region="33.24", limit=2)
    assert changes.items
    sums = await call("changes.get_scoring_checksums", region="33.24")
    assert sums


async def test_a_problem_is_read_as_one(generated: tuple[str, str], front: Open) -> None:
    package = generated[0]
    client = importlib.import_module(f"{package}.client").AuthenticatedClient(
        base_url=front.platform.url, token=front.platform.key
    )
    function = importlib.import_module(f"{package}.api.villages.get_village").sync_detailed
    answer = await asyncio.to_thread(function, "33.24.09.2009", client=client)
    assert (answer.status_code, answer.parsed.status) == (404, 404)
