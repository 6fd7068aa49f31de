"""The OWASP API Security Top 10 of 2023 as a list of tests: real requests to the whole platform through its gateway.

Where a risk has its own tests elsewhere the class here walks the contract, so that an operation that is new tomorrow is tested, too.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.conftest import REPOSITORY, eventually
from tests.security.conftest import CONTRACT, ELSEWHERE, HOME, OPERATIONS, VILLAGE, Open, Operation, text_of

GUARDED = [operation for operation in OPERATIONS if operation.declared["security"]]


async def all_of(*requests: Any) -> list[httpx.Response]:
    """Many requests, a few at a time."""
    turns = asyncio.Semaphore(8)

    async def one(request: Any) -> httpx.Response:
        async with turns:
            answer: httpx.Response = await request
            return answer

    return list(await asyncio.gather(*(one(request) for request in requests)))


def wrong(operations: list[Operation], answers: list[httpx.Response], *expected: int) -> list[str]:
    """Operations that answered otherwise."""
    return [
        f"{operation}: {answer.status_code}"
        for operation, answer in zip(operations, answers, strict=True)
        if answer.status_code not in expected
    ]


class TestApi1BrokenObjectLevelAuthorization:
    """Somebody reaches what is not his by naming it."""

    async def test_a_village_of_another_region_is_not_there(self, front: Open) -> None:
        about = [one for one in OPERATIONS if "{village}" in one.template]
        assert len(about) > 5
        for reference in (VILLAGE, str(front.village["id"])):
            answers = await all_of(
                *(front.ask(one.method, one.path(village=reference), "officer", json=one.example) for one in about)
            )
            assert wrong(about, answers, 403, 404) == []
            assert not any("Kampung KB Uji" in answer.text for answer in answers)

    async def test_a_list_of_another_region_is_refused_and_one_s_own_leaves_it_out(self, front: Open) -> None:
        refused = await front.ask("GET", f"/api/v1/villages?region={ELSEWHERE}", "officer")
        assert refused.status_code == 403
        own = await front.ask("GET", "/api/v1/villages", "officer")
        assert own.json()["items"] == []

    async def test_a_key_of_another_region_is_not_there(self, front: Open) -> None:
        made = await front.ask(
            "POST", "/api/v1/keys", "admin",
            json={"name": "Lain", "owner": "Lain", "roles": ["reader"], "region": ELSEWHERE, "expires_at": None},
        )  # fmt: skip
        for method in ("GET", "DELETE"):
            answer = await front.ask(method, f"/api/v1/keys/{made.json()['id']}", "administrator")
            assert answer.status_code == 404


class TestApi2BrokenAuthentication:
    """Somebody comes in without a credential, or with one that is not his."""

    async def test_nothing_that_is_guarded_answers_a_stranger(self, front: Open) -> None:
        answers = await all_of(*(front.ask(one.method, one.path(), json=one.example) for one in GUARDED))
        assert wrong(GUARDED, answers, 401) == []
        assert all("www-authenticate" in answer.headers for answer in answers)

    async def test_credentials_that_open_nothing(self, front: Open) -> None:
        key = front.keys["admin"]
        flipped = key[:-1] + ("0" if key[-1] != "0" else "1")
        unsigned = jwt.encode({"sub": "admin", "roles": ["administrator"]}, None, algorithm="none")
        for header in (
            {"Authorization": f"Bearer {flipped}"},
            {"Authorization": f"Basic {key}"},
            {"Authorization": f"Bearer {unsigned}"},
            {"Authorization": f"Bearer {key[: len(key) // 2]}"},
            {"Authorization": "Bearer"},
            {"X-API-Key": flipped},
            {"Authorization": f"Bearer {key}", "X-API-Key": flipped},
            {"Cookie": f"key={key}"},
        ):
            answer = await front.ask("GET", "/api/v1/me", headers=header)
            assert answer.status_code == 401, header
        assert (await front.ask("GET", f"/api/v1/me?key={key}")).status_code == 401

    async def test_an_identity_that_the_client_made_himself_counts_for_nothing(self, front: Open) -> None:
        claims = {"iss": "kkb-gateway", "sub": "x", "name": "x", "grants": [{"role": "administrator", "region": None}]}
        forged = jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA")
        assert (await front.ask("GET", "/api/v1/me", headers={"x-kkb-identity": forged})).status_code == 401
        answer = await front.ask("GET", "/api/v1/keys", "reader", headers={"x-kkb-identity": forged})
        assert answer.status_code == 403

    async def test_a_revoked_key_is_dead_at_once(self, front: Open) -> None:
        draft = {"name": "Sebentar", "owner": "Uji", "roles": ["reader"], "region": HOME, "expires_at": None}
        made = (await front.ask("POST", "/api/v1/keys", "admin", json=draft)).json()
        headers = {"Authorization": f"Bearer {made['key']}"}
        assert (await front.ask("GET", "/api/v1/me", headers=headers)).status_code == 200
        assert (await front.ask("DELETE", f"/api/v1/keys/{made['id']}", "admin")).status_code == 204
        assert (await front.ask("GET", "/api/v1/me", headers=headers)).status_code == 401


class TestApi3BrokenObjectPropertyLevelAuthorization:
    """Somebody writes members that are not his to write, or reads what an answer should not hold."""

    async def test_members_that_nobody_knows_are_refused_everywhere(self, front: Open) -> None:
        bodies = [one for one in OPERATIONS if isinstance(one.example, dict)]
        assert len(bodies) > 15
        answers = await all_of(
            *(
                front.ask(
                    one.method,
                    one.path(village=VILLAGE),
                    "admin",
                    json={**one.example, "roles_granted": ["administrator"]},
                    headers={"If-Match": '"1"'},
                )
                for one in bodies
            )
        )
        assert wrong(bodies, answers, 422) == []
        for operation, answer in zip(bodies, answers, strict=True):
            assert any("roles_granted" in error["pointer"] for error in answer.json()["errors"]), operation

    async def test_no_answer_about_keys_holds_their_secret(self, front: Open) -> None:
        answer = await front.ask("GET", "/api/v1/keys?limit=200", "admin")
        assert answer.status_code == 200
        secrets = [key.rpartition("_")[2] for key in front.keys.values()]
        assert not any(secret in answer.text for secret in secrets)
        assert not re.search(r"secret_hash|digest|[0-9a-f]{64}", answer.text)

    def test_no_answer_has_a_member_for_a_secret_or_a_contact(self) -> None:
        told_once = {"KeyIssued.key", "WebhookIssued.secret"}
        words = re.compile(r"(^|_)(secret|password|hash|phone|email|nik|nip|contact)($|_)")
        answered = reachable([one.declared["responses"] for one in OPERATIONS])
        assert "KeyOut" in answered
        for name in answered:
            for member in CONTRACT["components"]["schemas"][name].get("properties", {}):
                if f"{name}.{member}" not in told_once and not member.endswith(("_until", "_at")):
                    assert not words.search(member), f"{name}.{member}"


def reachable(part: Any) -> set[str]:
    """Names of the schemas that a part of the contract refers to, and those to others."""
    found: set[str] = set()
    left = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(part)))
    while left:
        found |= left
        schemas = [CONTRACT["components"]["schemas"][name] for name in left]
        left = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(schemas))) - found
    return found


class TestApi4UnrestrictedResourceConsumption:
    """Somebody asks for more than anybody can give."""

    async def test_every_list_has_an_end(self, front: Open) -> None:
        paged = [one for one in OPERATIONS if any(p["name"] == "limit" for p in one.declared.get("parameters", ()))]
        assert len(paged) > 10
        answers = await all_of(
            *(front.ask(one.method, f"{one.path(village=VILLAGE)}?limit=1000000", "admin") for one in paged)
        )
        assert wrong(paged, answers, 422) == []

    async def test_a_body_without_end_is_not_read(self, front: Open) -> None:
        async def endless() -> Any:
            for _ in range(200):
                yield b"x" * 1024 * 1024

        try:
            answer = await front.client.post(
                "/api/v1/villages",
                content=endless(),
                headers={**front.key("admin"), "Content-Type": "application/json"},
            )
        except httpx.RequestError:
            return  # the door closed on it, which says as much
        assert answer.status_code == 413

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
            b'{"region_code": "' + b"9" * 1_000_000 + b'"}',
            b'{"launch_year": ' + b"9" * 100_000 + b"}",
            b'{"launch_year": 1e400}',
            b'{"name": "\\ud800"}',
            b"\xff\xfe{}",
            b"",
        ],
    )
    async def test_bodies_that_are_made_to_hurt(self, front: Open, body: bytes) -> None:
        headers = {**front.key("admin"), "Content-Type": "application/json"}
        answer = await front.client.post("/api/v1/villages", content=body, headers=headers)
        assert answer.status_code in {400, 413, 422}, answer.text[:300]
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_callers_are_told_what_they_may(self, front: Open) -> None:
        answer = await front.ask("GET", "/api/v1/me", "reader")
        assert {"ratelimit", "ratelimit-policy"} <= set(answer.headers)


class TestApi5BrokenFunctionLevelAuthorization:
    """Somebody does what is another role's to do."""

    @pytest.mark.parametrize("role", ["reader", "reporter", "partner", "operator", "assessor", "officer"])
    async def test_a_role_does_only_what_its_scopes_say(self, front: Open, role: str) -> None:
        may = set((await front.ask("GET", "/api/v1/me", f"national_{role}")).json()["scopes"])
        beyond = [one for one in GUARDED if not one.scopes <= may]
        assert beyond
        answers = await all_of(
            *(front.ask(one.method, one.path(village=VILLAGE), f"national_{role}", json=one.example) for one in beyond)
        )
        assert wrong(beyond, answers, 403) == []

    async def test_a_method_that_is_not_declared_does_nothing(self, front: Open) -> None:
        for method in ("DELETE", "PUT", "PATCH"):
            answer = await front.ask(method, "/api/v1/villages", "admin")
            assert answer.status_code == 405
            assert "GET" in answer.headers["allow"]
        overridden = await front.ask("POST", "/api/v1/keys", "reader", headers={"X-HTTP-Method-Override": "GET"})
        assert overridden.status_code == 403


class TestApi6UnrestrictedAccessToSensitiveBusinessFlows:
    """Somebody plays a flow of the programme that is not his to play: granting, determining, putting in force."""

    async def test_nobody_grants_more_than_he_has(self, front: Open) -> None:
        for region in (None, ELSEWHERE, "98"):
            draft = {"name": "Lebih", "owner": "Uji", "roles": ["administrator"], "region": region, "expires_at": None}
            answer = await front.ask("POST", "/api/v1/keys", "administrator", json=draft)
            assert answer.status_code in {403, 422}, region

    async def test_a_village_is_not_registered_a_hundred_times_by_pressing_again(self, front: Open) -> None:
        body = {"region_code": f"{ELSEWHERE}.01.2002", "name": "Sekali saja", "launch_year": 2020}
        again = {"Idempotency-Key": "owasp-api6-again"}
        answers = await all_of(
            *(front.ask("POST", "/api/v1/villages", "admin", json=body, headers=again) for _ in range(20))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_a_region_s_assessor_does_not_decide_for_the_country(self, front: Open) -> None:
        body = {"ruleset": "web-2021", "from": "2030-01-01"}
        answer = await front.ask("POST", "/api/v1/rulesets/in-force", "assessor", json=body)
        assert answer.status_code == 403

    async def test_it_is_known_afterwards_who_did_it(self, front: Open) -> None:
        """Every operation that changes something is recorded before it is carried out."""

        async def recorded() -> bool:
            found = await front.ask("GET", "/api/v1/audit?operation=register_village&kind=change", "admin")
            return bool(found.json()["items"])

        assert await eventually(recorded)


class TestApi7ServerSideRequestForgery:
    """Somebody makes the platform ask where he cannot ask himself."""

    def test_addresses_are_taken_only_where_they_are_checked(self) -> None:
        """Whoever adds a member that holds an address adds it here, with the test that it cannot lead inside."""
        checked = {"WebhookIn.url", "WebhookPatch.url"}
        for name, schema in CONTRACT["components"]["schemas"].items():
            if not name.endswith(("In", "Change", "Patch")):
                continue
            for member, described in schema.get("properties", {}).items():
                looks = re.search(r"(^|_)(ur[il]|address|host|callback|endpoint|link)($|_)", member)
                if looks or "uri" in json.dumps(described.get("format", "")):
                    assert f"{name}.{member}" in checked, f"{name}.{member}"

    async def test_what_a_client_says_of_hosts_leads_nowhere(self, front: Open) -> None:
        for headers in (
            {"Host": "169.254.169.254"},
            {"X-Forwarded-Host": "169.254.169.254"},
            {"X-Original-URL": "/api/v1/keys", "X-Rewrite-URL": "/api/v1/keys"},
        ):
            answer = await front.ask("GET", "/api/v1/me", "reader", headers=headers)
            assert answer.status_code == 200
            assert answer.json()["name"] == "Uji reader"
            assert "169.254" not in text_of(answer)


class TestApi8SecurityMisconfiguration:
    """Something is open, chatty or weaker than it need be."""

    async def test_operators_pages_are_not_on_the_public_port(self, front: Open) -> None:
        for path in ("/metrics", "/livez", "/readyz", "/debug", "/.env", "/.git/config", "/redoc", "/openapi.json"):
            assert (await front.ask("GET", path, "admin")).status_code == 404, path

    async def test_errors_tell_nothing_of_our_insides(self, front: Open) -> None:
        for path in ("/api/v1/villages/x'%20OR%201=1--", "/api/v1/villages?cursor=AAAA", "/api/v1/audit?cursor=W10"):
            answer = await front.ask("GET", path, "admin")
            assert 400 <= answer.status_code < 500
            insides = rf"Traceback|sqlalchemy|asyncpg|SELECT|{re.escape(str(REPOSITORY))}|\.py\b|127\.0\.0\.1"
            assert not re.search(insides, text_of(answer))

    async def test_nothing_says_what_we_run_on(self, front: Open) -> None:
        for path in ("/api/v1/me", "/docs", "/nowhere"):
            answer = await front.ask("GET", path, "reader")
            assert not {"server", "x-powered-by"} & set(answer.headers)

    async def test_pages_of_others_cannot_read_answers(self, front: Open) -> None:
        answer = await front.ask("GET", "/api/v1/me", "reader", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
        preflight = await front.ask("OPTIONS", "/api/v1/keys", headers=asked)
        assert preflight.status_code >= 400 or "access-control-allow-origin" not in preflight.headers

    async def test_trace_reflects_nothing(self, front: Open) -> None:
        answer = await front.ask("TRACE", "/api/v1/me", "admin")
        assert answer.status_code in {400, 405}
        assert front.keys["admin"] not in text_of(answer)


class TestApi9ImproperInventoryManagement:
    """Something answers that nobody knows of."""

    async def test_what_no_contract_declares_is_not_there(self, front: Open) -> None:
        for path in ("/api/v0/me", "/api/v2/me", "/api/me", "/v1/me", "/me", "/api/v1", "/api/v1/internal", "/admin"):
            assert (await front.ask("GET", path, "admin")).status_code == 404, path

    async def test_the_contract_that_is_served_is_the_one_that_is_enforced(self, front: Open) -> None:
        served = (await front.ask("GET", "/api/v1/openapi.json")).json()
        assert served == CONTRACT

    async def test_every_operation_that_is_declared_is_there(self, front: Open) -> None:
        answers = await all_of(*(front.ask("GET", one.path(village=VILLAGE), "admin") for one in OPERATIONS))
        missing = [
            f"{one}"
            for one, answer in zip(OPERATIONS, answers, strict=True)
            if answer.status_code == 404 and answer.json().get("detail") == "no service declares this address"
        ]
        assert missing == []


class TestApi10UnsafeConsumptionOfApis:
    """We believe what another system says: services' answers are read strictly (tests/gateway/proxy), files of others are data."""

    async def test_a_file_from_another_system_is_data_and_nothing_else(self, front: Open) -> None:
        body = {"format": "siga", "region": "98.86", "year": 2025, "dry_run": True}
        opened = await front.ask("POST", "/api/v1/imports", "admin", json={**body, "region": "76"})
        assert opened.status_code == 201, opened.text
        place = f"/api/v1/imports/{opened.json()['id']}/tables"
        for content, media in (
            (b"=cmd|'/c calc'!A1;b\n1;2\n", "text/csv"),
            (b"\x1f\x8b" + b"\x00" * 50, "application/gzip"),
            (b"\xff" * 1000, "text/csv"),
            (b"", "text/csv"),
        ):
            answer = await front.ask("PUT", f"{place}/tabel", "admin", content=content, headers={"Content-Type": media})
            assert answer.status_code in {200, 201, 415, 422}, answer.text
        for name in ("..%2f..%2fetc%2fpasswd", "a%00b", "%2e%2e"):
            answer = await front.ask(
                "PUT", f"{place}/{name}", "admin", content=b"a;b\n", headers={"Content-Type": "text/csv"}
            )
            assert answer.status_code in {400, 404, 422}, name
