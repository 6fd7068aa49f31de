"""The whole platform behind its gateway, and callers of several kinds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from deploy.embedded.throwaway import ThrowawayServers
from gateway.contract import committed, merged_document, own_document
from tests.cli.platform import Platform, running_platform

HOME, ELSEWHERE = "98.86", "33.25"
"""Regions of the callers: one without villages, and one with a village that is none of their business."""
VILLAGE = f"{ELSEWHERE}.01.2001"


@dataclass(frozen=True)
class Open:
    """The platform's front, and keys of several roles."""

    platform: Platform
    client: httpx.AsyncClient
    keys: dict[str, str] = field(repr=False)
    village: dict[str, Any]

    def key(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[who]}"}

    async def ask(self, method: str, path: str, who: str | None = None, **request: Any) -> httpx.Response:
        headers = {**(self.key(who) if who else {}), **request.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **request)


@pytest.fixture(scope="session")
async def front(servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Open]:
    """The running platform."""
    async with running_platform(servers, tmp_path_factory.mktemp("security")) as platform:
        admin = {"Authorization": f"Bearer {platform.key}"}
        async with httpx.AsyncClient(base_url=platform.url, timeout=60) as client:
            keys = {"admin": platform.key}
            for role in ("reader", "reporter", "officer", "partner", "assessor", "administrator", "operator"):
                for region in (HOME, None):
                    draft = {"name": f"Uji {role}", "owner": "Dinas Uji", "roles": [role], "region": region}
                    answer = await client.post("/api/v1/keys", json={**draft, "expires_at": None}, headers=admin)
                    assert answer.status_code == 201, answer.text
                    keys[role if region else f"national_{role}"] = answer.json()["key"]
            made = {"region_code": VILLAGE, "name": "Kampung KB Uji", "launch_year": 2020}
            village = (await client.post("/api/v1/villages", json=made, headers=admin)).json()
            yield Open(platform, client, keys, village)


CONTRACT: dict[str, Any] = merged_document(**committed(), own=own_document())


@dataclass(frozen=True)
class Operation:
    """One operation of the merged contract."""

    method: str
    template: str
    declared: dict[str, Any]

    @property
    def scopes(self) -> set[str]:
        return {scope for need in self.declared["security"] for scopes in need.values() for scope in scopes}

    def path(self, **given: str) -> str:
        """The template with something plausible for each variable."""
        path = self.template
        for one in self.declared.get("parameters", ()):
            if one["in"] == "path":
                number = one["schema"].get("type") == "integer"
                value = given.get(one["name"], "1" if number else "0190c9a4-0000-7000-8000-000000000000")
                path = path.replace("{" + one["name"] + "}", value)
        return path

    @property
    def example(self) -> Any:
        body = self.declared.get("requestBody", {}).get("content", {})
        return body.get("application/json", {}).get("example")

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


OPERATIONS = [
    Operation(method.upper(), template, declared)
    for template, item in CONTRACT["paths"].items()
    for method, declared in item.items()
]


def text_of(answer: httpx.Response) -> str:
    """An answer with its headers, to look for what must not be in it."""
    return json.dumps(dict(answer.headers)) + answer.text
