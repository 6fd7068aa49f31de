"""The file of identity providers is replaced while the gateway runs."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.metrics import OIDC_FILE_IN_FORCE, OIDC_KEYS_AGE
from gateway.oidc.following import OidcFile
from gateway.oidc.issuer_keys import KeyLimits
from gateway.oidc.schemas import OidcFileProblem
from kit.access import Grant, Role
from kit.problems import Unauthenticated
from tests.conftest import eventually
from tests.gateway.conftest import StartGateway
from tests.gateway.oidc.provider import AUDIENCE, Provider, new_key, providing

REGION = "83.01"
BROKEN = [b"", b"{", b'{"issuers": [{}]}', b"\xff", None]
"""None: there is no file."""


def rule(role: str, region: str = REGION) -> dict[str, Any]:
    return {"claim": "groups", "value": "opd-kb", "role": role, "region": region}


def trusted(provider: Provider, *rules: dict[str, Any], name: str = "sso-ikut", **changes: Any) -> dict[str, Any]:
    grants = list(rules) or [rule("officer")]
    return {"name": name, "issuer": provider.issuer, "audience": AUDIENCE, "grants": grants, **changes}


def put(file: Path, *issuers: dict[str, Any], content: bytes | None = None) -> None:
    """Replace the file in one step, as tools do."""
    new = file.with_suffix(".new")
    new.write_bytes(json.dumps({"issuers": issuers}).encode() if content is None else content)
    new.replace(file)


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with providing(new_key("k1", "EdDSA"), new_key("k2", "ES256")) as running:
        yield running


@pytest.fixture
def path(tmp_path: Path, provider: Provider) -> Path:
    file = tmp_path / "oidc.json"
    put(file, trusted(provider))
    return file


@pytest.fixture
async def file(path: Path) -> AsyncIterator[OidcFile]:
    started = OidcFile(path, KeyLimits(), plain_http=True)
    yield started
    await started.verifier.close()


async def grants(file: OidcFile, token: str) -> tuple[Grant, ...]:
    return (await file.verifier.check(token)).principal.grants


class TestLook:
    async def test_other_grants_count_for_tokens_that_were_believed(
        self, file: OidcFile, path: Path, provider: Provider
    ) -> None:
        token = provider.sign()
        assert await grants(file, token) == (Grant(Role.OFFICER, REGION),)
        put(path, trusted(provider, rule("reader")))
        file.look()
        assert await grants(file, token) == (Grant(Role.READER, REGION),)

    async def test_keys_at_hand_stay_while_the_issuer_is_away(
        self, file: OidcFile, path: Path, provider: Provider
    ) -> None:
        await file.verifier.check(provider.sign())
        provider.behaviour = "fails"
        try:
            put(path, trusted(provider, rule("reader")))
            file.look()
            assert await grants(file, provider.sign(jti="new")) == (Grant(Role.READER, REGION),)
        finally:
            provider.behaviour = "well"

    async def test_other_algorithms_need_other_keys(self, file: OidcFile, path: Path, provider: Provider) -> None:
        put(path, trusted(provider, algorithms=["EdDSA"]))
        file.look()
        await file.verifier.check(provider.sign())
        put(path, trusted(provider, algorithms=["ES256"]))
        file.look()
        assert await file.verifier.check(provider.sign(provider.keys[1]))
        with pytest.raises(Unauthenticated, match="signature"):
            await file.verifier.check(provider.sign())

    async def test_who_is_removed_is_refused_at_once_and_can_come_back(
        self, file: OidcFile, path: Path, provider: Provider
    ) -> None:
        token = provider.sign()
        await file.verifier.check(token)
        put(path)
        file.look()
        with pytest.raises(Unauthenticated, match="issuer is not trusted"):
            await file.verifier.check(token)
        assert ("sso-ikut",) not in OIDC_KEYS_AGE._metrics, "nobody need look after its keys"
        assert file.verifier.checks == {}
        put(path, trusted(provider, name="sso-lain"))
        file.look()
        assert await file.verifier.check(token)
        assert list(file.verifier.checks) == ["issuer sso-lain"]

    async def test_removed_while_a_token_is_being_checked(
        self, file: OidcFile, path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = file.verifier.keys["sso-ikut"]
        find = keys.find

        async def slowly(kid: str | None) -> Any:
            found = await find(kid)
            put(path)
            file.look()
            return found

        monkeypatch.setattr(keys, "find", slowly)
        with pytest.raises(Unauthenticated, match="issuer is not trusted"):
            await file.verifier.check(provider.sign())

    async def test_a_fetch_for_who_is_removed_ends_with_the_process(
        self, file: OidcFile, path: Path, provider: Provider
    ) -> None:
        keys = file.verifier.keys["sso-ikut"]
        provider.behaviour = "hangs"
        try:
            waiting = asyncio.create_task(file.verifier.keep_fresh())
            async with asyncio.timeout(60):
                while not keys.fetching:
                    await asyncio.sleep(0.01)
            put(path)
            file.look()
            assert keys.fetching
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await file.verifier.close()
            assert not keys.fetching
        finally:
            provider.behaviour = "well"


class TestAFileThatCannotBeUsed:
    @pytest.mark.parametrize("content", BROKEN, ids=str)
    async def test_changes_nothing_and_is_told(
        self, file: OidcFile, path: Path, provider: Provider, content: bytes | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        if content is None:
            path.unlink()
        else:
            put(path, content=content)
        with caplog.at_level(logging.INFO, logger="gateway.oidc.following"):
            for _ in range(3):
                file.look()
        assert [record.levelname for record in caplog.records] == ["ERROR"], "once, not with every look"
        assert "KKB_OIDC_FILE" in caplog.text
        assert OIDC_FILE_IN_FORCE._value.get() == 0
        assert "what was read before is in force" in (await file.check() or "")
        assert await grants(file, provider.sign()) == (Grant(Role.OFFICER, REGION),)
        put(path, trusted(provider, rule("reader")))
        file.look()
        assert (OIDC_FILE_IN_FORCE._value.get(), await file.check()) == (1, None)
        assert await grants(file, provider.sign()) == (Grant(Role.READER, REGION),)

    async def test_one_that_could_not_be_opened_for_a_moment_is_tried_again(
        self, file: OidcFile, path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(path, trusted(provider, rule("reader")))
        with monkeypatch.context() as patch:

            def away(_self: Path) -> bytes:
                raise PermissionError(13, "Permission denied")

            patch.setattr(Path, "read_bytes", away)
            file.look()
        assert file.failure is not None
        file.look()
        assert await grants(file, provider.sign()) == (Grant(Role.READER, REGION),)

    def test_at_the_start_there_is_no_gateway(self, path: Path) -> None:
        put(path, content=b"{")
        with pytest.raises(OidcFileProblem):
            OidcFile(path, KeyLimits(), plain_http=True)


async def test_a_gateway_follows_its_file_and_shows_it(
    start_gateway: StartGateway, path: Path, provider: Provider
) -> None:
    running = await start_gateway(oidc_file=path, oidc_plain_http=True, oidc_look_seconds=0.05)
    headers = {"Authorization": f"Bearer {provider.sign()}"}

    async def answer() -> httpx.Response:
        return await running.client.get("/me", headers=headers)

    async def refused() -> bool:
        return (await answer()).status_code == 401

    async def noted() -> dict[str, str]:
        return (await running.gateway.health.readiness())["noted"]

    async def told() -> bool:
        return (await noted())["identity providers"] != "ok"

    assert (await answer()).json()["grants"] == [{"role": "officer", "region": REGION}]
    assert (await noted())["identity providers"] == "ok"
    put(path, content=b"{")
    await eventually(told)
    assert (await answer()).status_code == 200
    put(path)
    await eventually(refused)
    assert not [name for name in await noted() if name.startswith("issuer ")]
    put(path, trusted(provider, rule("reader")))

    async def back() -> bool:
        return (await answer()).status_code == 200

    await eventually(back)
    assert (await answer()).json()["grants"] == [{"role": "reader", "region": REGION}]
    assert (await noted())["issuer sso-ikut"] == "ok"
