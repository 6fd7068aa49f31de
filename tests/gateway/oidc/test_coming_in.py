"""People with a token of their office's identity provider, at the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kit.ops import ops_app
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.oidc.provider import AUDIENCE, Provider, new_key, providing

GRANTS = [
    {"claim": "groups", "value": "opd-kb", "role": "officer", "region_claim": "kkb_region"},
    {"claim": "groups", "value": "admin-kb", "role": "administrator", "region": "91.01"},
]


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with providing(new_key("k1", "ES256")) as running:
        yield running


@pytest.fixture(scope="module")
async def gateway(provider: Provider, start_gateway: StartGateway, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """A gateway that trusts the provider."""
    return await start_gateway(**trusting(provider, tmp_path_factory.mktemp("oidc")))


def trusting(provider: Provider, folder: Path, **settings: Any) -> dict[str, Any]:
    issuer = {"name": "sso-uji", "issuer": provider.issuer, "audience": AUDIENCE, "grants": GRANTS}
    file = folder / "oidc.json"
    file.write_text(json.dumps({"issuers": [issuer]}))
    return {"oidc_file": file, "oidc_plain_http": True, **settings}


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_stranger(gateway: Running, provider: Provider) -> None:
    answer = await gateway.client.get("/me", headers=bearing(provider.sign(aud="lain")))
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_wrong_role_and_no_role(gateway: Running, provider: Provider) -> None:
    officer = await gateway.client.get("/keys", headers=bearing(provider.sign()))
    assert officer.status_code == 403
    nobody = await gateway.client.get("/me", headers=bearing(provider.sign(groups=["lain"])))
    assert nobody.status_code == 403


async def test_wrong_region(gateway: Running, provider: Provider) -> None:
    draft = {"name": "x", "owner": "x", "roles": ["reader"], "region": "91.02", "expires_at": None}
    headers = bearing(provider.sign(groups=["admin-kb"]))
    answer = await gateway.client.post("/keys", json=draft, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:region-forbidden")


async def test_regions_side_by_side_are_not_guessed(gateway: Running, provider: Provider) -> None:
    token = provider.sign(kkb_region=["91.01", "91.02"])
    answer = await gateway.client.get("/changes", headers=bearing(token))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:grants-unclear")


async def test_two_kinds_of_credentials(gateway: Running, provider: Provider) -> None:
    headers = {**bearing(provider.sign()), "X-API-Key": gateway.admin_key}
    assert (await gateway.client.get("/me", headers=headers)).status_code == 401


async def test_happy(gateway: Running, provider: Provider) -> None:
    me = (await gateway.client.get("/me", headers=bearing(provider.sign()))).json()
    assert (me["credential"], me["name"], me["region"]) == ("oidc", "sso-uji", "91.01")
    assert me["grants"] == [{"role": "officer", "region": "91.01"}]
    assert me["id"].startswith("oidc:")


async def test_what_he_does_is_done_in_his_name(gateway: Running, provider: Provider) -> None:
    draft = {"name": "x", "owner": "x", "roles": ["reader"], "region": "91.01", "expires_at": None}
    headers = bearing(provider.sign(groups=["admin-kb"]))
    me = (await gateway.client.get("/me", headers=headers)).json()
    issued = (await gateway.client.post("/keys", json=draft, headers=headers)).json()
    assert issued["created_by"] == me["id"]


async def test_without_a_trusted_issuer_it_is_no_key(start_gateway: StartGateway, provider: Provider) -> None:
    answer = await (await start_gateway()).client.get("/me", headers=bearing(provider.sign()))
    assert (answer.status_code, answer.json()["detail"]) == (401, "this is not a key")


async def test_the_issuer_away_is_503_and_operators_see_it(
    start_gateway: StartGateway, provider: Provider, tmp_path: Path
) -> None:
    provider.behaviour = "fails"
    try:
        running = await start_gateway(**trusting(provider, tmp_path))
        answer = await running.client.get("/me", headers=bearing(provider.sign()))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert (await running.client.get("/me", headers=running.with_key())).status_code == 200
        transport = httpx.ASGITransport(app=ops_app(running.gateway.health))
        async with httpx.AsyncClient(transport=transport, base_url="http://ops") as ops:
            ready = await ops.get("/readyz")
            assert ready.status_code == 200
            assert ready.json()["noted"]["issuer sso-uji"].endswith("no token is taken")
            families = text_string_to_metric_families((await ops.get("/metrics")).text)
            shown = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
        assert shown[("kkb_gateway_oidc_keys_age_seconds", "sso-uji")] == float("inf")
        assert shown[("kkb_gateway_oidc_fetches_total", "sso-uji", "failed")] >= 1
        assert shown[("kkb_gateway_oidc_refused_total", "sso-uji", "keys_away")] >= 1
    finally:
        provider.behaviour = "well"
