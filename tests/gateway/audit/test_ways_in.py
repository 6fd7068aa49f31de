"""Coming in, going out and what strangers try, in the audit trail: who it was where somebody was let in, and no word of
whether an account exists where nobody was.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from kit.ids import uuid7
from tests.conftest import eventually
from tests.gateway.audit.test_audit import entries, told
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.people import PASSWORD, Person, invited, signed_in

REGION = "82.03"
GRANTS = [{"role": "officer", "region": REGION}]
OWN = ("number", "id", "at", "until", "request_id", "previous", "digest")
"""What no two entries have in common."""


@pytest.fixture(scope="module")
async def watched(start_gateway: StartGateway) -> Running:
    """A gateway with a trail of its own, where one address may try often."""
    return await start_gateway(limit_sign_in="100000/60", limit_strangers="100000/60")


async def entry_of(watched: Running, method: str, path: str, **request: Any) -> tuple[httpx.Response, dict[str, Any]]:
    """A request, and what the trail holds of it alone: earlier refusals of its group are forgotten."""
    watched.gateway.own.state.recorder._refusals.all()
    name = f"way-in-{uuid7()}"
    headers = {**request.pop("headers", {}), "X-Request-Id": name}
    answer = await watched.client.request(method, path, headers=headers, **request)
    (entry,) = await told(watched, request_id=name)
    assert (entry["status"], entry["count"]) == (answer.status_code, 1)
    return answer, entry


def telling(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in OWN}


class TestSigningIn:
    async def test_who_came_in(self, watched: Running) -> None:
        somebody = await signed_in(watched, grants=GRANTS)
        body = {"login": somebody.login, "password": somebody.password}
        answer, entry = await entry_of(watched, "POST", "/sessions", json=body)
        assert (answer.status_code, entry["kind"], entry["operation"]) == (200, "change", "sign_in")
        assert entry["caller"] == f"account:{somebody.account['id']}"
        assert (entry["caller_name"], entry["caller_region"]) == (somebody.account["name"], REGION)
        assert (entry["address"], entry["resource"]) == ("127.0.0.1", "/api/v1/sessions")
        assert not any(word in json.dumps(entry) for word in (somebody.login, PASSWORD))

    @pytest.mark.parametrize(
        ("path", "secret"),
        [("/sessions", {"password": "bukan sandinya ini"}), ("/passwords", {"code": "x", "password": PASSWORD})],
    )
    async def test_a_refusal_does_not_say_whether_there_is_such_an_account(
        self, watched: Running, path: str, secret: dict[str, str]
    ) -> None:
        """Nor does the one that comes too early: both logins are slowed, after as many attempts."""
        somebody = await signed_in(watched, grants=GRANTS)
        seen: list[dict[int, dict[str, Any]]] = []
        for login in (somebody.login, "tidak.ada" + path.replace("/", ".")):
            body, told_of = {"login": login, **secret}, dict[int, dict[str, Any]]()
            while 429 not in told_of:
                _, entry = await entry_of(watched, "POST", path, json=body)
                told_of.setdefault(entry["status"], telling(entry))
                assert telling(entry) == told_of[entry["status"]]
                for _ in range(4):  # these are slowed soon
                    await watched.client.post(path, json=body)
            assert login not in json.dumps(told_of)
            seen.append(told_of)
        known, unknown = seen
        assert known == unknown
        assert list(known) == [401, 429]
        for entry in known.values():
            assert (entry["kind"], entry["caller"], entry["caller_name"]) == ("refusal", None, None)

    async def test_an_invitation_accepted(self, watched: Running) -> None:
        account = await invited(watched, grants=GRANTS)
        body = {"login": account["login"], "code": account["code"], "password": PASSWORD}
        answer, entry = await entry_of(watched, "POST", "/passwords", json=body)
        assert (answer.status_code, entry["kind"], entry["operation"]) == (204, "change", "set_password_by_code")
        assert (entry["caller"], entry["caller_region"]) == (f"account:{account['id']}", REGION)
        assert account["code"] not in json.dumps(entry)

    async def test_a_reset(self, watched: Running) -> None:
        somebody = await signed_in(watched, grants=GRANTS)
        answer, entry = await entry_of(watched, "POST", f"{somebody.url}/code", headers=watched.with_key())
        administrator = (await watched.client.get("/me", headers=watched.with_key())).json()["id"]
        assert (entry["kind"], entry["operation"], entry["status"]) == ("change", "reset_password", 200)
        assert (entry["caller"], entry["resource"]) == (administrator, f"/api/v1{somebody.url}/code")
        assert answer.json()["status"] == "invited", "there is no password any more"
        assert answer.json()["code"] not in json.dumps(entry)


class TestGoingOut:
    @pytest.mark.parametrize(
        ("path", "operation"), [("/sessions/current", "sign_out"), ("/sessions", "end_all_my_sessions")]
    )
    async def test_who_went(self, watched: Running, path: str, operation: str) -> None:
        somebody: Person = await signed_in(watched, grants=GRANTS)
        answer, entry = await entry_of(watched, "DELETE", path, headers=somebody.headers())
        assert (answer.status_code, entry["kind"], entry["operation"]) == (204, "change", operation)
        assert (entry["caller"], entry["credential"]) == (f"account:{somebody.account['id']}", "session")
        assert somebody.cookie not in json.dumps(entry)


class TestTokens:
    async def test_issued(self, watched: Running) -> None:
        key = await watched.issue("reader", region=REGION)
        auth = (key["id"], key["key"].rpartition("_")[2])
        _, entry = await entry_of(watched, "POST", "/token", data={"grant_type": "client_credentials"}, auth=auth)
        assert (entry["kind"], entry["operation"], entry["status"]) == ("change", "issue_token", 200)
        assert (entry["caller"], entry["caller_name"], entry["caller_region"]) == (key["id"], "Uji", REGION)
        assert auth[1] not in json.dumps(entry)

    @pytest.mark.parametrize(("status", "grant"), [(401, "client_credentials"), (400, "password")])
    async def test_refused(self, watched: Running, status: int, grant: str) -> None:
        key = await watched.issue("reader", region=REGION)
        form = {"grant_type": grant}
        answer, entry = await entry_of(watched, "POST", "/token", data=form, auth=(key["id"], "0" * 64))
        assert (answer.status_code, entry["kind"], entry["operation"]) == (status, "refusal", "issue_token")
        assert (entry["caller"], entry["address"]) == (None, "127.0.0.1")

    async def test_a_rotation_by_the_holder(self, watched: Running) -> None:
        key = await watched.issue("reader", region=REGION)
        headers = watched.with_key(key["key"])
        answer, entry = await entry_of(watched, "POST", "/me/rotation", json={"overlap_hours": 1}, headers=headers)
        assert (entry["kind"], entry["operation"], entry["status"]) == ("change", "rotate_my_key", 200)
        assert (entry["caller"], entry["credential"], entry["address"]) == (key["id"], "key", "127.0.0.1")
        assert not any(secret["key"].rpartition("_")[2] in json.dumps(entry) for secret in (key, answer.json()))

    async def test_a_key_shown_where_it_may_not_be_used_is_named(self, watched: Running) -> None:
        """A stolen one, perhaps: whose it is must be known to who can revoke it."""
        key = await watched.issue("reader", region=REGION, allowed_addresses=["192.0.2.0/24"])
        auth = (key["id"], key["key"].rpartition("_")[2])
        asked = await entry_of(watched, "POST", "/token", data={"grant_type": "client_credentials"}, auth=auth)
        shown = await entry_of(watched, "GET", "/me", headers=watched.with_key(key["key"]))
        for answer, entry in (asked, shown):
            assert (answer.status_code, entry["kind"]) == (403, "refusal")
            assert (entry["caller"], entry["caller_region"]) == (key["id"], REGION)


async def test_strangers_cannot_fill_the_trail_with_nonsense(watched: Running) -> None:
    """What the ways in answer with 400 or 422 is summed up like any other refusal."""
    recorder = watched.gateway.own.state.recorder
    for _ in range(20):
        assert (await watched.client.post("/sessions", json={"x": 1})).status_code == 422
    for group in recorder._refusals.all():
        recorder._writer.add(group.entry(uuid7()))

    async def all_told() -> list[dict[str, Any]]:
        found = await entries(watched, operation="sign_in", status=422)
        return found if sum(entry["count"] for entry in found) == 20 else []

    found = await eventually(all_told)
    assert len(found) <= 4, "two a minute, and they may lie on the edge of one"
    assert {(entry["kind"], entry["caller"]) for entry in found} == {("refusal", None)}
