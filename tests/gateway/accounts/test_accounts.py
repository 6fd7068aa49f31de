"""Opening, changing and resetting accounts: stranger, wrong role, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.gateway.conftest import Running
from tests.gateway.people import PASSWORD, draft, invited, person, signed_in


async def execute(running: Running, sql: str, **values: Any) -> Any:
    async with running.gateway.own.state.database.transaction() as session:
        return (await session.execute(sa.text(sql), values)).scalar()


def slug(answer: Any) -> str:
    return str(answer.json()["type"].rpartition(":")[2])


class TestOpenAccount:
    async def test_stranger(self, office: Running) -> None:
        assert (await office.client.post("/accounts", json=draft())).status_code == 401

    async def test_wrong_role(self, office: Running) -> None:
        officer = await office.issue("officer")
        answer = await office.client.post("/accounts", json=draft(), headers=office.with_key(officer["key"]))
        assert answer.status_code == 403

    @pytest.mark.parametrize("region", [None, "92", "93.01"])
    async def test_wrong_region(self, office: Running, region: str | None) -> None:
        regional = await office.issue("administrator", region="92.01")
        body = draft(grants=[{"role": "operator", "region": region}])
        answer = await office.client.post("/accounts", json=body, headers=office.with_key(regional["key"]))
        assert (answer.status_code, slug(answer)) == (403, "region-forbidden")

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"login": "Siti"}, "#/login"),
            ({"login": "siti@kantor.test"}, "#/login"),
            ({"login": "ab"}, "#/login"),
            ({"name": " "}, "#/name"),
            ({"grants": []}, "#/grants"),
            ({"grants": [{"role": "reader"}]}, "#/grants/0/region"),
            ({"grants": [{"role": "reader", "region": "92.01"}, {"role": "reader", "region": "92.02"}]}, "#/grants"),
            ({"email": "a@b.test"}, "#/email"),
            ({"password": PASSWORD}, "#/password"),
        ],
    )
    async def test_invalid(self, office: Running, change: dict[str, Any], pointer: str) -> None:
        answer = await office.client.post("/accounts", json=draft(**change), headers=office.with_key())
        assert answer.status_code == 422
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_conflict_of_logins(self, office: Running) -> None:
        body = draft()
        answers = await asyncio.gather(
            *(office.client.post("/accounts", json=body, headers=office.with_key()) for _ in range(5))
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
        assert {slug(answer) for answer in answers if answer.status_code == 409} == {"login-taken"}

    async def test_happy_and_only_hashes_are_kept(self, office: Running) -> None:
        regional = await office.issue("administrator", region="92.03")
        body = draft(grants=[{"role": "officer", "region": "92.03"}, {"role": "assessor", "region": "9203"}])
        answer = await office.client.post("/accounts", json=body, headers=office.with_key(regional["key"]))
        account = answer.json()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert (account["status"], len(account["code"])) == ("invited", 23)
        assert account["created_by"] == regional["id"]
        read = await office.client.get(answer.headers["location"].removeprefix("/api/v1"), headers=office.with_key())
        assert read.json() == {name: value for name, value in account.items() if name != "code"}
        kept = await execute(office, "SELECT a::text FROM accounts a WHERE id = :id", id=account["id"])
        assert account["code"] not in kept
        assert account["code"].replace("-", "") not in kept

    async def test_replay_shows_no_code(self, office: Running) -> None:
        headers, body = {**office.with_key(), "Idempotency-Key": "one-account"}, draft()
        first = await office.client.post("/accounts", json=body, headers=headers)
        again = await office.client.post("/accounts", json=body, headers=headers)
        assert (first.json()["id"], again.json()["code"]) == (again.json()["id"], None)
        assert again.headers["idempotency-replayed"] == "true"
        other = await office.client.post("/accounts", json=draft(), headers=headers)
        assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")


class TestReadAccounts:
    async def test_stranger(self, office: Running) -> None:
        for path in ("/accounts", f"/accounts/{uuid4()}", f"/accounts/{uuid4()}/sessions"):
            assert (await office.client.get(path)).status_code == 401

    async def test_accounts_that_reach_beyond_the_region_are_not_seen(self, office: Running) -> None:
        regional = await office.issue("administrator", region="92.04")
        mine = await invited(office, grants=[{"role": "reporter", "region": "92.04.01"}])
        both = [{"role": "reader", "region": "92"}, {"role": "officer", "region": "92.04"}]
        beyond = await invited(office, grants=both)
        headers = office.with_key(regional["key"])
        listed = (await office.client.get("/accounts", headers=headers)).json()["items"]
        assert [account["id"] for account in listed] == [mine["id"]]
        for method, path in (
            ("GET", ""),
            ("PATCH", ""),
            ("POST", "/code"),
            ("GET", "/sessions"),
            ("DELETE", "/sessions"),
        ):
            body = {"json": {"disabled": True}} if method == "PATCH" else {}
            answer = await office.client.request(method, f"/accounts/{beyond['id']}{path}", headers=headers, **body)
            assert (answer.status_code, slug(answer)) == (404, "account-unknown"), (method, path)

    @pytest.mark.parametrize("query", ["?nope=1", "?limit=0", "?status=lost", "?cursor=abc", "?login=A"])
    async def test_invalid(self, office: Running, query: str) -> None:
        assert (await office.client.get(f"/accounts{query}", headers=office.with_key())).status_code == 422

    async def test_happy_pages_statuses_and_logins(self, office: Running) -> None:
        admin = office.with_key((await office.issue("administrator", region="92.06"))["key"])
        grants = [{"role": "reader", "region": "92.06"}]
        made = [await invited(office, grants=grants) for _ in range(2)]
        active = await person(office, grants=grants)
        page = (await office.client.get("/accounts?limit=2", headers=admin)).json()
        rest = (await office.client.get(f"/accounts?limit=2&cursor={page['next_cursor']}", headers=admin)).json()
        seen = [one["id"] for one in page["items"] + rest["items"]]
        assert (seen, rest["next_cursor"]) == ([made[0]["id"], made[1]["id"], active.account["id"]], None)
        for query, expected in (
            ("status=active", [active.account["id"]]),
            (f"login={made[0]['login']}", [made[0]["id"]]),
        ):
            found = (await office.client.get(f"/accounts?{query}", headers=admin)).json()["items"]
            assert [one["id"] for one in found] == expected


class TestChangeAccount:
    async def test_stranger(self, office: Running) -> None:
        assert (await office.client.patch(f"/accounts/{uuid4()}", json={})).status_code == 401

    async def test_wrong_region_of_a_grant(self, office: Running) -> None:
        regional = office.with_key((await office.issue("administrator", region="92.07"))["key"])
        account = await invited(office, grants=[{"role": "reader", "region": "92.07"}])
        body = {"grants": [{"role": "reader", "region": None}]}
        headers = {**regional, "If-Match": '"1"'}
        answer = await office.client.patch(f"/accounts/{account['id']}", json=body, headers=headers)
        assert (answer.status_code, slug(answer)) == (403, "region-forbidden")

    async def test_conflict_with_a_change_meanwhile(self, office: Running) -> None:
        url = f"/accounts/{(await invited(office))['id']}"
        assert (await office.client.patch(url, json={"name": "a"}, headers=office.with_key())).status_code == 428
        headers = {**office.with_key(), "If-Match": '"1"'}
        assert (await office.client.patch(url, json={"name": "a"}, headers=headers)).status_code == 200
        assert (await office.client.patch(url, json={"name": "b"}, headers=headers)).status_code == 412

    async def test_happy_grants_count_at_once_in_open_sessions(self, office: Running) -> None:
        somebody = await signed_in(office)
        answer = await somebody.change(grants=[{"role": "assessor", "region": "92.08"}], name="Lain")
        assert (answer.status_code, answer.json()["version"]) == (200, 3)
        me = (await somebody.me()).json()
        assert (me["name"], me["grants"]) == ("Lain", [{"role": "assessor", "region": "92.08"}])

    async def test_disabled_is_out_at_once_and_enabled_signs_in_again(self, office: Running) -> None:
        somebody = await signed_in(office)
        assert (await somebody.change(disabled=True)).json()["status"] == "disabled"
        assert (await somebody.me()).status_code == 401
        refused = await somebody.sign_in()
        assert (refused.status_code, refused.json()["detail"]) == (401, "login or password is not right")
        assert (await somebody.change(disabled=False)).json()["status"] == "active"
        assert (await somebody.me()).status_code == 401
        assert (await somebody.sign_in()).status_code == 200


class TestResetPassword:
    async def test_stranger(self, office: Running) -> None:
        assert (await office.client.post(f"/accounts/{uuid4()}/code")).status_code == 401

    async def test_happy_the_old_password_and_sessions_are_gone(self, office: Running) -> None:
        somebody = await signed_in(office)
        reset = (await office.client.post(f"{somebody.url}/code", headers=office.with_key())).json()
        assert (reset["status"], (await somebody.me()).status_code) == ("invited", 401)
        assert datetime.fromisoformat(reset["last_signed_in_at"]) >= datetime.fromisoformat(reset["created_at"])
        assert (await somebody.sign_in()).status_code == 401
        new = "lima gajah ungu di kolam"
        body = {"login": somebody.login, "code": reset["code"], "password": new}
        assert (await office.client.post("/passwords", json=body)).status_code == 204
        assert (await somebody.sign_in()).status_code == 401
        assert (await somebody.sign_in(password=new)).status_code == 200


class TestSetPasswordByCode:
    async def test_stranger_login_and_wrong_codes_get_one_answer(self, office: Running) -> None:
        account = await invited(office)
        spent = await person(office)
        for login, code in (
            ("tidak.ada", account["code"]),
            (account["login"], "00000-00000-00000-00000"),
            (spent.login, spent.account["code"]),
        ):
            body = {"login": login, "code": code, "password": PASSWORD}
            answer = await office.client.post("/passwords", json=body)
            detail = "login or code is not right, or the code is older than 72 hours"
            assert (answer.status_code, slug(answer), answer.json()["detail"]) == (401, "sign-in-refused", detail)

    async def test_old_code_and_code_of_a_disabled_account(self, office: Running) -> None:
        old, disabled = await invited(office), await invited(office)
        sql = "UPDATE accounts SET code_expires_at = now() - interval '1 second' WHERE id = :id"
        await execute(office, f"{sql} RETURNING 1", id=old["id"])
        headers = {**office.with_key(), "If-Match": '"1"'}
        await office.client.patch(f"/accounts/{disabled['id']}", json={"disabled": True}, headers=headers)
        for account in (old, disabled):
            body = {"login": account["login"], "code": account["code"], "password": PASSWORD}
            assert (await office.client.post("/passwords", json=body)).status_code == 401

    @pytest.mark.parametrize("password", ["pendek", "passwordpassword1", "orang.LOGIN dan lain"])
    async def test_invalid_password_leaves_the_code_good(self, office: Running, password: str) -> None:
        account = await invited(office)
        body = {
            "login": account["login"],
            "code": account["code"],
            "password": password.replace("orang.LOGIN", account["login"]),
        }
        answer = await office.client.post("/passwords", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/password")
        again = await office.client.post("/passwords", json={**body, "password": PASSWORD})
        assert again.status_code == 204

    async def test_of_two_at_once_one_sets_it(self, office: Running) -> None:
        account = await invited(office)
        body = {"login": account["login"], "code": account["code"].lower().replace("-", " "), "password": PASSWORD}
        answers = await asyncio.gather(*(office.client.post("/passwords", json=body) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [204, 401]

    async def test_another_sites_page(self, office: Running) -> None:
        account = await invited(office)
        body = {"login": account["login"], "code": account["code"], "password": PASSWORD}
        answer = await office.client.post("/passwords", json=body, headers={"Origin": "https://jahat.test"})
        assert (answer.status_code, slug(answer)) == (403, "cross-origin")


class TestChangeMyPassword:
    async def test_stranger_and_key(self, office: Running) -> None:
        body = {"current": PASSWORD, "password": "lima gajah ungu"}
        assert (await office.client.put("/me/password", json=body)).status_code == 401
        assert (await office.client.put("/me/password", json=body, headers=office.with_key())).status_code == 409

    async def test_wrong_and_weak(self, office: Running) -> None:
        somebody = await signed_in(office)
        for current, password, status in (("salah salah salah", "lima gajah ungu", 401), (PASSWORD, "pendek", 422)):
            body = {"current": current, "password": password}
            answer = await office.client.put("/me/password", json=body, headers=somebody.headers())
            assert answer.status_code == status
        assert (await somebody.me()).status_code == 200

    async def test_happy_every_session_ends(self, office: Running) -> None:
        somebody = await signed_in(office)
        body = {"current": PASSWORD, "password": "lima gajah ungu"}
        answer = await office.client.put("/me/password", json=body, headers=somebody.headers())
        assert answer.status_code == 204, answer.text
        assert (await somebody.me()).status_code == 401
        assert (await somebody.sign_in()).status_code == 401
        assert (await somebody.sign_in(password="lima gajah ungu")).status_code == 200
