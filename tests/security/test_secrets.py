"""Secrets: none has a default, none is a placeholder, none is ever in a log, a metric or the audit trail."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from pydantic import ValidationError

from deploy.embedded.settings import EmbeddedSettings
from gateway.settings import GatewaySettings
from kit.logs import JsonFormatter
from kit.settings import ServiceSettings
from tests.conftest import eventually
from tests.security.conftest import Open

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def log() -> Any:
    """All that the processes of the platform write, down to DEBUG."""
    written, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter("test"))
    handler.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))  # the client's own
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


class TestKeysInLogs:
    async def test_a_planted_key_is_nowhere(self, front: Open, log: io.StringIO) -> None:
        """However it is sent: well, badly, in the wrong place, to an address that is none, in a body that is refused."""
        key = front.keys["admin"]
        secret = key.rpartition("_")[2]
        revoked = "kkb_" + "0" * 32 + "_" + secret[::-1]
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"X-API-Key": key}, {"Authorization": f"Basic {key}"}):
            for path in ("/api/v1/me", f"/api/v1/me?key={key}", f"/api/v1/villages/{key}", f"/api/v1/{key}", f"/{key}"):
                await front.client.get(path, headers=headers)
            body = {"region_code": key, "name": key, key: key}
            await front.client.post("/api/v1/villages", json=body, headers={**headers, "Idempotency-Key": key})
            await front.client.post("/api/v1/villages", content=key, headers=headers)
        await front.client.get("/api/v1/me", headers={"Authorization": f"Bearer {revoked}"})
        issued = await front.ask(
            "POST", "/api/v1/keys", "admin",
            json={"name": "Ditanam", "owner": "Uji", "roles": ["reader"], "region": None, "expires_at": None},
        )  # fmt: skip
        new = issued.json()["key"].rpartition("_")[2]
        assert "access" in log.getvalue(), "the log is read"

        async def audited() -> str:
            trail = (await front.ask("GET", "/api/v1/audit?limit=200", "admin")).text
            return trail if "issue_key" in trail else ""

        trail: str = await eventually(audited)
        for where, text in (("log", log.getvalue()), ("metrics", generate_latest().decode()), ("trail", trail)):
            for planted in (secret, new):
                assert planted not in text, where


class TestDefaults:
    @pytest.mark.parametrize("settings", [GatewaySettings, ServiceSettings, EmbeddedSettings])
    def test_no_secret_has_one(self, settings: Any) -> None:
        for name, field in settings.model_fields.items():
            if re.search(r"password|secret|token|private_key|database_url|nats_url|_key$", name):
                assert field.is_required() or field.default is None, name

    @pytest.mark.parametrize("password", ["changeme", "password", "postgres", "<password>", "${PASSWORD}"])
    def test_a_placeholder_ends_the_start(self, password: str, public_key_file: Path) -> None:
        given: dict[str, Any] = {"port": 0, "ops_port": 0, "identity_public_key_file": public_key_file}
        real = "postgresql+asyncpg://kkb:3f9c2a71@db:5432/kkb"
        with pytest.raises(ValidationError, match="placeholder"):
            ServiceSettings(
                database_url=real.replace("3f9c2a71", password), nats_url="nats://a:3f9c2a71@b:4222", **given
            )
        with pytest.raises(ValidationError, match="placeholder"):
            ServiceSettings(database_url=real, nats_url=f"nats://a:{password}@b:4222", **given)
        ServiceSettings(database_url=real, nats_url="nats://b:4222", **given)

    def test_none_is_in_the_repository(self) -> None:
        pattern = re.compile(
            rb"kkb_[0-9a-f]{32}_[0-9a-f]{64}|-----BEGIN (?:EC |RSA )?PRIVATE KEY-----\n[A-Za-z0-9+/]{20}"
        )
        suffixes = {".py", ".md", ".yml", ".json", ".sh", ".toml", ".txt", ".conf", ".sql"}
        for folder in ("contracts", "kit", "services", "gateway", "deploy", "cli", "docs", "tests"):
            for file in (REPOSITORY / folder).rglob("*"):
                if file.suffix in suffixes:
                    assert not pattern.search(file.read_bytes()), file
