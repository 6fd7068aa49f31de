"""Client credentials: asking for a token, and what it opens as long as its key does."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from gateway.tokens.access_tokens import AUDIENCE, ISSUER
from gateway.tokens.rules import PREFIX
from kit import clock
from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.identity import key_id, mint
from tests.callers import SIGNING_KEY
from tests.gateway.conftest import Running

GRANT = {"grant_type": "client_credentials"}


def credentials(key: dict[str, Any]) -> tuple[str, str]:
    return key["id"], key["key"].rpartition("_")[2]


async def ask(running: Running, key: dict[str, Any], **form: str) -> httpx.Response:
    return await running.client.post("/token", data={**GRANT, **form}, auth=credentials(key))


async def token(running: Running, key: dict[str, Any]) -> str:
    answer = await ask(running, key)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def me(running: Running, bearer: str) -> httpx.Response:
    return await running.client.get("/me", headers={"Authorization": f"Bearer {bearer}"})


def forged(kid: str | None = None, typ: str = "at+jwt", key: Any = SIGNING_KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(uuid4()), "iat": now, "exp": now + 60, "secret": "0" * 16}
    header = {"kid": kid or key_id(SIGNING_KEY.public_key()), "typ": typ}
    return PREFIX + jwt.encode({**claims, **changes}, key, algorithm="EdDSA", headers=header)


class TestIssueToken:
    async def test_stranger(self, office: Running) -> None:
        key = await office.issue("reader")
        wrong = [("x", "y"), (key["id"], "0" * 64), (str(uuid4()), credentials(key)[1]), (key["id"], "")]
        for auth in wrong:
            answer = await office.client.post("/token", data=GRANT, auth=auth)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert answer.headers["content-type"] == "application/problem+json"
        nothing = await office.client.post("/token", data=GRANT)
        assert (nothing.status_code, nothing.json()["error"]) == (401, "invalid_client")

    async def test_revoked(self, office: Running) -> None:
        key = await office.issue("reader")
        await office.client.delete(f"/keys/{key['id']}", headers=office.with_key())
        answer = await ask(office, key)
        assert (answer.status_code, answer.json()["error_description"]) == (401, "the key has been revoked")

    async def test_wrong_address(self, office: Running) -> None:
        key = await office.issue("reader", allowed_addresses=["192.0.2.0/24"])
        assert (await ask(office, key)).status_code == 403

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": ""}, "invalid_request"),
            ({"scope": "villages:read"}, "invalid_scope"),
            ({"client_id": str(UUID(int=1))}, "invalid_request"),
            ({"client_secret": "0" * 64}, "invalid_request"),
        ],
    )
    async def test_invalid(self, office: Running, form: dict[str, str], error: str) -> None:
        answer = await ask(office, await office.issue("reader"), **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)

    @pytest.mark.parametrize("body", [b"{}", b"grant_type=%ff%ff&client_id=%00", b"grant_type=a&grant_type=b", b""])
    async def test_what_is_no_form(self, office: Running, body: bytes) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await office.client.post("/token", content=body, headers=headers)
        assert answer.status_code in {400, 401, 422}

    @pytest.mark.parametrize("place", ["basic", "encoded", "form"])
    async def test_happy(self, office: Running, place: str) -> None:
        key = await office.issue("officer", region="92.09")
        identifier, secret = credentials(key)
        request: dict[str, Any] = {"data": GRANT, "auth": (identifier, secret)}
        if place == "encoded":
            request["auth"] = (quote(identifier).replace("-", "%2D"), secret)
        if place == "form":
            request = {"data": {**GRANT, "client_id": identifier, "client_secret": secret, "device": "ignored"}}
        answer = await office.client.post("/token", **request)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        issued = answer.json()
        assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 900)
        seen = (await me(office, issued["access_token"])).json()
        assert (seen["credential"], seen["id"], seen["region"]) == ("token", key["id"], "92.09")


class TestPresenting:
    async def test_revoking_the_key_ends_its_tokens_at_once(self, office: Running) -> None:
        key = await office.issue("reader")
        bearer = await token(office, key)
        assert (await me(office, bearer)).status_code == 200
        await office.client.delete(f"/keys/{key['id']}", headers=office.with_key())
        assert (await me(office, bearer)).status_code == 401

    async def test_so_does_retiring_the_secret_that_it_was_asked_with(self, office: Running) -> None:
        key = await office.issue("reader")
        bearer = await token(office, key)
        url, until = f"/keys/{key['id']}/rotation", (clock.now() + timedelta(days=7)).isoformat()
        answer = await office.client.post(url, json={"old_secret_until": until}, headers=office.with_key())
        assert answer.status_code == 200, answer.text
        assert (await me(office, bearer)).status_code == 200
        done = await office.client.post(f"{url}/completion", headers=office.with_key())
        assert done.status_code == 200, done.text
        refused = await me(office, bearer)
        assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True)
        assert (await me(office, await token(office, answer.json()))).status_code == 200

    async def test_what_is_none_of_ours(self, office: Running) -> None:
        key = await office.issue("reader")
        good = await token(office, key)
        principal = Principal(key["id"], "x", (Grant(Role.ADMINISTRATOR, None),))
        expired = forged(exp=int(time.time()) - 1)
        for text in (
            PREFIX, PREFIX + "a.b.c", good[:-4] + "AAAA", good.removeprefix(PREFIX), forged(kid="x"), forged(typ="JWT"),
            forged(iss="kkb-gateway"), forged(aud="registry"), forged(secret=None), forged(sub="x"), expired,
            PREFIX + mint(principal, SIGNING_KEY, "gateway"), PREFIX + "a" * 5000,
        ):  # fmt: skip
            assert (await me(office, text)).status_code == 401, text
        unknown_key = await me(office, forged())
        assert (unknown_key.status_code, unknown_key.json()["detail"]) == (401, "the key is not known")

    async def test_it_is_no_identity_for_services(self, office: Running) -> None:
        bearer = (await token(office, await office.issue("reader"))).removeprefix(PREFIX)
        assert (await office.client.get("/me", headers={IDENTITY_HEADER: bearer})).status_code == 401
        verify = office.gateway.own.state.verify_identity
        with pytest.raises(Exception, match="identity token"):
            verify(bearer)

    async def test_a_token_and_its_key_are_two_credentials(self, office: Running) -> None:
        key = await office.issue("reader")
        headers = {"Authorization": f"Bearer {await token(office, key)}", "X-API-Key": key["key"]}
        assert (await office.client.get("/me", headers=headers)).status_code == 401
