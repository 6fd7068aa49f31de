"""What the kit promises of every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.embedded.throwaway import ThrowawayServers
from kit.access import IDENTITY_HEADER, Grant, Principal, Role
from kit.deadlines import REMAINING_HEADER
from kit.health import health_of
from kit.identity import LEEWAY_SECONDS, LIFETIME_SECONDS, key_id, mint, public_pem
from kit.observe import READY_PATH, Observed
from tests.callers import SIGNING_KEY, caller, granted
from tests.conftest import app_of

WRITER = "officer"
ADMIN = Principal(id="x", name="x", grants=(Grant(Role.ADMINISTRATOR, None),))


HERE = "registry"
"""What the service of these tests calls itself."""
NOW = int(time.time())
CLAIMS = {
    "iss": "kkb-gateway",
    "aud": HERE,
    "sub": "x",
    "iat": NOW,
    "exp": NOW + 86400,
    "grants": [["administrator", None]],
}
KID = key_id(SIGNING_KEY.public_key())


def signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, SIGNING_KEY, algorithm="EdDSA", headers={"kid": KID})


async def count(tiny: httpx.AsyncClient, text: str) -> int:
    async with app_of(tiny).state.database.transaction() as session:
        return int(await session.scalar(sa.text("SELECT count(*) FROM notes WHERE text = :t"), {"t": text}))


class TestCommit:
    async def test_a_commit_that_fails_is_an_error_the_client_sees(self, tiny: httpx.AsyncClient) -> None:
        body = {"text": "twice"}
        assert (await tiny.post("/notes", json=body, headers=caller(WRITER))).status_code == 201
        answer = await tiny.post("/notes", json=body, headers=caller(WRITER))
        assert answer.status_code == 500
        assert answer.json()["type"] == "urn:kampungkb:problem:internal"
        assert await count(tiny, "twice") == 1

    async def test_a_commit_that_fails_keeps_no_idempotency_key(self, tiny: httpx.AsyncClient) -> None:
        await tiny.post("/notes", json={"text": "taken"}, headers=caller(WRITER))
        headers = {**caller(WRITER), "Idempotency-Key": "commit-fails"}
        assert (await tiny.post("/notes", json={"text": "taken"}, headers=headers)).status_code == 500
        assert (await tiny.post("/notes", json={"text": "free"}, headers=headers)).status_code == 201

    async def test_a_defect_rolls_back_and_tells_nothing(
        self, tiny: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            answer = await tiny.post("/notes", json={"text": "defect"}, headers=caller(WRITER))
        assert answer.status_code == 500
        assert "0812" not in answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert await count(tiny, "defect") == 0


class TestTimeLeft:
    """The gateway says how long somebody waits for the answer."""

    async def test_what_is_over_is_not_begun(self, tiny: httpx.AsyncClient) -> None:
        headers = {**caller(WRITER), REMAINING_HEADER: "0"}
        answer = await tiny.post("/notes", json={"text": "too late"}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:kampungkb:problem:unavailable")
        assert "retry-after" in answer.headers
        assert await count(tiny, "too late") == 0

    async def test_nobody_waits_for_a_lock_longer_than_for_the_answer(self, tiny: httpx.AsyncClient) -> None:
        headers = {**caller(WRITER), REMAINING_HEADER: "500"}
        async with app_of(tiny).state.database.transaction() as session:
            await session.execute(sa.text("INSERT INTO notes (text) VALUES ('held')"))
            began = time.monotonic()
            answer = await tiny.post("/notes", json={"text": "held"}, headers=headers)
            took = time.monotonic() - began
        assert answer.status_code == 503
        assert took < 15  # the limit without a word from the gateway is 20
        assert await count(tiny, "held") == 1

    @pytest.mark.parametrize("given", ["60000", "", "-1", "soon", "1e3", "99999999999999999999"])
    async def test_with_time_or_without_a_word_it_is_as_ever(self, tiny: httpx.AsyncClient, given: str) -> None:
        headers = {**caller(WRITER), REMAINING_HEADER: given}
        assert (await tiny.post("/notes", json={"text": f"time {given}"}, headers=headers)).status_code == 201


class TestReadiness:
    """What whoever shares out requests asks on the API's port."""

    async def test_is_answered_without_identity_and_leaves_no_trace(
        self, tiny: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        health = health_of(app_of(tiny))
        transport = httpx.ASGITransport(app=Observed(app_of(tiny), health))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with caplog.at_level(logging.INFO):
                assert (await client.get(READY_PATH)).status_code == 200
            assert not [record for record in caplog.records if record.name == "access"]
            health.draining = True
            assert (await client.get(READY_PATH)).status_code == 503
            answer = await client.post("/api/v1/notes", json={"text": "at the end"}, headers=caller(WRITER))
            assert (answer.status_code, answer.headers["connection"]) == (201, "close")


class TestIdentity:
    @pytest.mark.parametrize(
        "token",
        [
            "",
            "nonsense",
            lambda: mint(ADMIN, Ed25519PrivateKey.generate(), HERE),
            lambda: mint(ADMIN, SIGNING_KEY, HERE, now=time.time() - 600),
            lambda: mint(ADMIN, SIGNING_KEY, HERE, now=time.time() + 600),
            lambda: mint(ADMIN, SIGNING_KEY, "scoring"),
            signed({**CLAIMS, "iss": "else"}),
            signed({name: claim for name, claim in CLAIMS.items() if name != "exp"}),
            signed({name: claim for name, claim in CLAIMS.items() if name != "aud"}),
            jwt.encode(CLAIMS, SIGNING_KEY, algorithm="EdDSA"),
            jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": KID}),
            jwt.encode(CLAIMS, "k" * 32, algorithm="HS256", headers={"kid": KID}),
            jwt.encode(CLAIMS, public_pem(SIGNING_KEY.public_key())[-32:], algorithm="HS256", headers={"kid": KID}),
        ],
        ids=[
            "none",
            "garbage",
            "another key",
            "expired",
            "not yet valid",
            "another service",
            "another issuer",
            "without expiry",
            "without audience",
            "without key id",
            "unsigned",
            "symmetric",
            "symmetric with the public key",
        ],
    )
    async def test_only_the_gateways_tokens_count(
        self, tiny: httpx.AsyncClient, token: str | Callable[[], str]
    ) -> None:
        shown = token if isinstance(token, str) else token()  # what lives for minutes is made only now
        answer = await tiny.post("/notes", json={"text": "a"}, headers={IDENTITY_HEADER: shown})
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "grants",
        [
            ...,
            None,
            [["king", None]],
            [["administrator", "33.2"]],
            [["administrator"]],
            "administrator",
            [[None, None]],
        ],
        ids=str,
    )
    async def test_grants_that_are_none_open_nothing(self, tiny: httpx.AsyncClient, grants: Any) -> None:
        token = signed({name: claim for name, claim in {**CLAIMS, "grants": grants}.items() if claim is not ...})
        answer = await tiny.post("/notes", json={"text": "a"}, headers={IDENTITY_HEADER: token})
        assert answer.status_code == 401

    async def test_all_these_differ_from_a_good_one_in_one_thing(self, tiny: httpx.AsyncClient) -> None:
        answer = await tiny.post("/notes", json={"text": "good"}, headers={IDENTITY_HEADER: signed(CLAIMS)})
        assert answer.status_code == 201

    async def test_grants_side_by_side_are_answered_with_the_reason(self, tiny: httpx.AsyncClient) -> None:
        headers = granted(Grant(Role.OFFICER, "33.26"), Grant(Role.OFFICER, "33.27"))
        answer = await tiny.post("/notes", json={"text": "where"}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:kampungkb:problem:grants-unclear")
        assert "33.26" in answer.json()["detail"]

    async def test_a_remembered_token_expires(self, tiny: httpx.AsyncClient) -> None:
        token = mint(ADMIN, SIGNING_KEY, HERE, now=time.time() - LIFETIME_SECONDS - LEEWAY_SECONDS + 3)
        headers = {IDENTITY_HEADER: token}
        assert (await tiny.post("/notes", json={"text": "soon"}, headers=headers)).status_code == 201
        deadline = time.monotonic() + 30
        while (await tiny.post("/notes", json={}, headers=headers)).status_code != 401:
            assert time.monotonic() < deadline


class TestTracing:
    async def test_a_good_request_id_comes_back(self, tiny: httpx.AsyncClient) -> None:
        answer = await tiny.get("/nothing", headers={"X-Request-Id": "abc.DEF_123-45"})
        assert answer.headers["X-Request-Id"] == "abc.DEF_123-45"
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "semi;colon!"])
    async def test_a_bad_request_id_is_replaced(self, tiny: httpx.AsyncClient, given: str) -> None:
        answer = await tiny.get("/nothing", headers={"X-Request-Id": given})
        assert answer.headers["X-Request-Id"] != given

    async def test_wrong_method(self, tiny: httpx.AsyncClient) -> None:
        answer = await tiny.get("/notes")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "POST"
        assert answer.json()["type"] == "urn:kampungkb:problem:method-not-allowed"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'"x"'])
    async def test_a_broken_body_is_a_problem(self, tiny: httpx.AsyncClient, body: bytes) -> None:
        headers = {**caller(WRITER), "Content-Type": "application/json"}
        answer = await tiny.post("/notes", content=body, headers=headers)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


class TestDatabaseAway:
    async def test_503_with_retry_after_and_well_again_without_a_restart_of_ours(
        self, lonely: httpx.AsyncClient, own_servers: ThrowawayServers
    ) -> None:
        body = {"text": "before"}
        assert (await lonely.post("/notes", json=body, headers=caller(WRITER))).status_code == 201
        own_servers.postgres.stop()
        try:
            away = await lonely.post("/notes", json={"text": "away"}, headers=caller(WRITER))
        finally:
            own_servers.postgres.start()
        assert away.status_code == 503
        assert int(away.headers["Retry-After"]) > 0
        assert away.json()["type"] == "urn:kampungkb:problem:unavailable"
        await app_of(lonely).state.database.ping()  # whatever connection it finds in the pool
        deadline = time.monotonic() + 20
        while (await lonely.post("/notes", json={"text": "after"}, headers=caller(WRITER))).status_code != 201:
            assert time.monotonic() < deadline
