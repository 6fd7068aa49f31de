"""The documentation: open to everybody, and complete without the internet."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import httpx
import pytest

from gateway.contract import FOLDER
from gateway.docs.overview import GATEWAY
from kit.access import Role
from kit.openapi import operations
from tests.gateway.conftest import Running

FILES = ["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "start.js", "page.css"]


def outside(gateway: Running, path: str, **headers: str) -> httpx.Request:
    return gateway.client.build_request("GET", f"http://127.0.0.1:{gateway.port}{path}", headers=headers)


def whole() -> dict[str, Any]:
    """The committed contract: the gateway under test knows some of the services only."""
    document: dict[str, Any] = json.loads((FOLDER / "platform.json").read_text("utf-8"))
    return document


async def get(gateway: Running, path: str, **headers: str) -> httpx.Response:
    return await gateway.client.send(outside(gateway, path, **headers))


async def test_the_gateway_s_address_leads_to_it(gateway: Running) -> None:
    answer = await get(gateway, "/", accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (answer.status_code, answer.headers["location"], answer.headers["vary"]) == (307, "/docs", "Accept")


async def test_a_program_is_told_where_things_are(gateway: Running) -> None:
    answer = await get(gateway, "/")
    assert answer.status_code == 200
    for place in ("contract", "documentation"):
        assert (await get(gateway, answer.json()[place])).status_code == 200
    assert answer.json()["contract"].startswith(answer.json()["api"])


async def test_the_page_is_indonesian_and_asks_for_nothing_from_elsewhere(gateway: Running) -> None:
    answer = await get(gateway, "/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert '<html lang="id">' in answer.text
    asked = [path for path in re.findall(r'(?:src|href)="([^"]+)"', answer.text) if not path.startswith("#")]
    assert set(asked) == {"/api/v1/openapi.json", *(f"/docs/{file}" for file in FILES)}
    for path in asked:
        assert (await get(gateway, path)).status_code == 200
    assert not re.search(r"<script>|<style|\son\w+=|style=", answer.text)


@pytest.mark.parametrize("file", ["start.js", "page.css"])
async def test_what_is_ours_of_it_names_no_other_host(gateway: Running, file: str) -> None:
    text = (await get(gateway, f"/docs/{file}")).text
    assert set(re.findall(r"https?://[^\"'\s)]+|url\([^)]*\)|@import", text)) <= {GATEWAY}


async def test_every_operation_has_an_address_on_the_page(gateway: Running) -> None:
    """`#/tag/operationId`: Swagger UI finds it if there is one tag, declared, and nothing in both that it would escape."""
    document = whole()
    tags = {tag["name"] for tag in document["tags"]}
    addresses = [f"#/{operation['tags'][0]}/{operation['operationId']}" for _, operation in operations(document)]
    assert len(set(addresses)) == len(addresses) > 0
    assert all(re.fullmatch(r"#/[a-z-]+/[a-z0-9_]+", address) for address in addresses)
    assert {operation["tags"][0] for _, operation in operations(document)} <= tags
    assert "deepLinking: true" in (await get(gateway, "/docs/start.js")).text


def test_the_overview_links_only_to_what_is_there() -> None:
    document = whole()
    text = document["info"]["description"]
    there = {f"#/{operation['tags'][0]}/{operation['operationId']}" for _, operation in operations(document)}
    headings = {"#" + title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", text, re.MULTILINE)}
    linked = set(re.findall(r"\]\((#[^)]*)\)", text))
    assert linked - headings - {"#search"} <= there
    assert headings <= linked
    assert GATEWAY in text


def test_the_overview_explains_every_role_and_status() -> None:
    document = whole()
    text = document["info"]["description"]
    assert {role.value for role in Role} <= set(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE))
    rows = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    explained = {status for row in rows for status in row.split(", ")}
    statuses = {status for _, operation in operations(document) for status in operation["responses"]}
    assert {status for status in statuses if status >= "400"} <= explained


async def test_the_page_puts_its_own_address_into_the_quick_start(gateway: Running) -> None:
    text = (await get(gateway, "/docs/start.js")).text
    assert f'const GATEWAY = "{GATEWAY}";' in text
    assert "replaceAll(GATEWAY, window.location.origin)" in text


async def test_the_policy_allows_only_ourselves(gateway: Running) -> None:
    policy = (await get(gateway, "/docs")).headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert (rules["script-src"], rules["connect-src"], rules["style-src"]) == ("'self'", "'self'", "'self'")
    assert rules["frame-ancestors"] == "'none'"
    assert "http" not in policy
    assert "unsafe" not in policy


async def test_the_start_keeps_keys_out_of_the_browser_s_storage(gateway: Running) -> None:
    text = (await get(gateway, "/docs/start.js")).text
    assert "persistAuthorization: false" in text
    assert "validatorUrl: null" in text


@pytest.mark.parametrize("file", FILES)
async def test_files_are_compressed_and_known_again(gateway: Running, file: str) -> None:
    plain = await get(gateway, f"/docs/{file}", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = await get(gateway, f"/docs/{file}", **{"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) == int(packed.headers["content-length"])
    again = await get(gateway, f"/docs/{file}", **{"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/docs/", "/docs/main.py", "/docs/a/b", "/docs/__init__.py"])
async def test_nothing_else_is_there(gateway: Running, path: str) -> None:
    answer = await get(gateway, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/docs/..%2fmain.py", "/docs/%2e%2e", "/docs//start.js"])
async def test_tricks_are_refused(gateway: Running, path: str) -> None:
    assert (await get(gateway, path)).status_code == 400


async def test_the_contract_is_open_and_names_every_way_in(gateway: Running) -> None:
    answer = await gateway.client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/"}]
    assert set(document["components"]["securitySchemes"]) == {"key", "key_header", "session", "token"}
    assert document["paths"]["/api/v1/me"]["get"]["security"] == [
        {way: ["self:read"]} for way in ("key", "key_header", "session", "token")
    ]
    assert "Kampung" in document["info"]["title"]


async def test_head_is_answered_too(gateway: Running) -> None:
    answer = await gateway.client.head("/openapi.json")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 1000
    assert answer.content == b""
