"""Signing in and out, and what a session may: stranger, other sites, too many, happy, across processes."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from gateway.metrics import SESSIONS, SIGN_INS
from gateway.sessions.rules import SECURE_COOKIE, browser_of, same_origin
from gateway.settings import GatewaySettings
from tests.conftest import eventually
from tests.gateway.conftest import Running, StartGateway
from tests.gateway.people import PASSWORD, Person, cookie_of, person, signed_in


async def execute(running: Running, sql: str, **values: Any) -> Any:
    async with running.gateway.own.state.database.transaction() as session:
        return (await session.execute(sa.text(sql), values)).scalar()


def slug(answer: Any) -> str:
    return str(answer.json()["type"].rpartition(":")[2])


def forget(running: Running) -> None:
    """As if so much time had passed that the database is asked again."""
    running.gateway.own.state.sessions.remembered.forget_all()


def outcomes(name: str) -> float:
    return float(SIGN_INS.labels(name)._value.get())


class TestSignIn:
    async def test_stranger_wrong_password_and_no_password_yet_get_one_answer(self, office: Running) -> None:
        somebody = await person(office)
        before = outcomes("refused")
        for login, password in (("tidak.ada", PASSWORD), (somebody.login, "salah salah salah"), ("' OR 1=1", "x")):
            answer = await office.client.post("/sessions", json={"login": login, "password": password})
            detail = "login or password is not right"
            assert (answer.status_code, slug(answer), answer.json()["detail"]) == (401, "sign-in-refused", detail)
            assert "set-cookie" not in answer.headers
        assert outcomes("refused") == before + 3

    async def test_another_sites_page(self, office: Running) -> None:
        somebody = await person(office)
        body = {"login": somebody.login, "password": PASSWORD}
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
            answer = await office.client.post("/sessions", json=body, headers=headers)
            assert (answer.status_code, slug(answer)) == (403, "cross-origin")

    @pytest.mark.parametrize(
        "body", [{}, {"login": "a"}, {"login": "a", "password": ""}, {"login": "a", "password": "b", "c": 1}]
    )
    async def test_invalid(self, office: Running, body: dict[str, Any]) -> None:
        assert (await office.client.post("/sessions", json=body)).status_code == 422

    async def test_happy(self, office: Running) -> None:
        somebody, before = await person(office), outcomes("ok")
        answer = await somebody.sign_in(login=f" {somebody.login.upper()} ")
        assert answer.status_code == 200
        assert answer.headers["set-cookie"].partition(";")[2] == " Path=/; Secure; HttpOnly; SameSite=Strict"
        assert answer.headers["cache-control"] == "no-store"
        me = (await somebody.me()).json()
        assert (me["credential"], me["id"]) == ("session", f"account:{somebody.account['id']}")
        assert me["grants"] == somebody.account["grants"]
        assert outcomes("ok") == before + 1
        kept = await execute(office, "SELECT string_agg(s::text, ' ') FROM sessions s")
        assert somebody.cookie not in kept

    async def test_the_audit_trail_names_who_came_in(self, office: Running) -> None:
        somebody = await signed_in(office)
        who = f"account:{somebody.account['id']}"

        async def named() -> set[str]:
            found = await office.client.get("/audit", params={"caller": who}, headers=office.with_key())
            assert found.status_code == 200, found.text
            operations = {entry["operation"] for entry in found.json()["items"]}
            return operations if len(operations) > 1 else set()

        assert await eventually(named) == {"set_password_by_code", "sign_in"}

    async def test_each_makes_a_new_session_and_ends_the_browsers_old_one(self, office: Running) -> None:
        somebody = await signed_in(office)
        old = somebody.cookie
        body = {"login": somebody.login, "password": PASSWORD}
        answer = await office.client.post("/sessions", json=body, headers=somebody.headers())
        somebody.cookie = cookie_of(answer)
        assert somebody.cookie != old
        assert (await somebody.me()).status_code == 200
        assert (await Person(office, somebody.account, cookie=old).me()).status_code == 401

    async def test_a_hash_of_other_parameters_is_made_anew(self, office: Running) -> None:
        somebody = await person(office)
        weaker = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
        sql = "UPDATE accounts SET password_hash = :hash WHERE id = :id RETURNING 1"
        await execute(office, sql, hash=weaker, id=somebody.account["id"])
        assert (await somebody.sign_in()).status_code == 200
        made = await execute(office, "SELECT password_hash FROM accounts WHERE id = :id", id=somebody.account["id"])
        assert "m=19456,t=2,p=1" in made
        assert (await somebody.sign_in()).status_code == 200


class TestTooMany:
    async def test_attempts_slow_down_even_all_at_once_and_the_right_password_waits_too(self, office: Running) -> None:
        somebody, before = await person(office), outcomes("throttled")
        answers = await asyncio.gather(*(somebody.sign_in(password="salah salah salah") for _ in range(12)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses.count(401) >= 5
        assert statuses.count(429) >= 1
        limited = next(answer for answer in answers if answer.status_code == 429)
        assert 1 <= int(limited.headers["retry-after"]) <= 600
        assert outcomes("throttled") > before
        await execute(office, "UPDATE sign_in_attempts SET next_at = now() + interval '5 minutes' RETURNING 1")
        assert (await somebody.sign_in()).status_code == 429
        await execute(office, "UPDATE sign_in_attempts SET next_at = now() RETURNING 1")
        assert (await somebody.sign_in()).status_code == 200

    async def test_success_forgets_them(self, office: Running) -> None:
        somebody = await person(office)
        for _ in range(3):
            for _ in range(3):
                assert (await somebody.sign_in(password="salah salah salah")).status_code == 401
            assert (await somebody.sign_in()).status_code == 200

    async def test_what_is_tried_is_not_kept_and_quiet_is_swept(self, office: Running) -> None:
        await office.client.post("/sessions", json={"login": "yang.dicoba", "password": "apa saja boleh"})
        kept = await execute(office, "SELECT string_agg(encode(subject, 'escape'), ' ') FROM sign_in_attempts")
        assert "yang.dicoba" not in kept
        await execute(office, "UPDATE sign_in_attempts SET last_at = now() - interval '1 hour' RETURNING 1")
        await office.gateway.own.state.sessions._count_and_sweep()
        assert await execute(office, "SELECT count(*) FROM sign_in_attempts") == 0


class TestPresenting:
    @pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "a" * 44, "é" * 43])
    async def test_stranger(self, office: Running, cookie: str) -> None:
        headers = {"Cookie": f"{SECURE_COOKIE}={cookie}".encode("latin-1")}
        answer = await office.client.get("/me", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")

    async def test_one_kind_of_credential_only(self, office: Running) -> None:
        somebody, other = await signed_in(office), await signed_in(office)
        for more in (office.with_key(), {"X-API-Key": office.admin_key}):
            answer = await office.client.get("/me", headers={**somebody.headers(), **more})
            assert (answer.status_code, answer.json()["detail"]) == (401, "two different credentials were sent")
        two = f"{SECURE_COOKIE}={somebody.cookie}; {SECURE_COOKIE}={other.cookie}"
        assert (await office.client.get("/me", headers={"Cookie": two})).status_code == 401
        among = f"tema=gelap; {SECURE_COOKIE}={somebody.cookie}; kkb-session=lain"
        assert (await office.client.get("/me", headers={"Cookie": among})).status_code == 200

    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "https://jahat.test"},
            {"Origin": "null"},
        ],
    )
    async def test_changes_from_elsewhere_are_refused(self, office: Running, page: dict[str, str]) -> None:
        somebody = await signed_in(office)
        headers = {"Cookie": f"{SECURE_COOKIE}={somebody.cookie}", **page}
        answer = await office.client.delete("/sessions", headers=headers)
        assert (answer.status_code, slug(answer)) == (403, "cross-origin")
        assert (await office.client.get("/me", headers=headers)).status_code == 200

    async def test_an_old_browser_says_origin_only(self, office: Running) -> None:
        somebody = await signed_in(office)
        headers = {"Cookie": f"{SECURE_COOKIE}={somebody.cookie}", "Origin": f"http://127.0.0.1:{office.port}"}
        assert (await office.client.delete("/sessions", headers=headers)).status_code == 204

    async def test_wrong_role(self, office: Running) -> None:
        somebody = await signed_in(office)
        assert (await office.client.get("/keys", headers=somebody.headers())).status_code == 403


class TestLife:
    async def test_too_long_idle_or_altogether(self, office: Running) -> None:
        for column, gone in (("last_used_at", "31 minutes"), ("expires_at", "1 second")):
            somebody = await signed_in(office)
            sql = f"UPDATE sessions SET created_at = now() - interval '13 hours', {column} = now() - interval '{gone}'"
            mine = {"id": somebody.account["id"]}
            await execute(office, f"{sql} WHERE account_id = :id RETURNING 1", **mine)
            forget(office)
            assert (await somebody.me()).status_code == 401
            listed = await office.client.get(f"{somebody.url}/sessions", headers=office.with_key())
            assert listed.json()["items"] == []

    async def test_use_is_written_down(self, office: Running) -> None:
        somebody = await signed_in(office)
        await execute(
            office,
            "UPDATE sessions SET last_used_at = now() - interval '20 minutes' WHERE account_id = :id RETURNING 1",
            id=somebody.account["id"],
        )
        forget(office)
        assert (await somebody.me()).status_code == 200
        await office.gateway.own.state.sessions.write_use()
        sql = "SELECT last_used_at > now() - interval '10 minutes' FROM sessions WHERE account_id = :id"
        assert await execute(office, sql, id=somebody.account["id"])

    async def test_what_is_long_over_is_swept_and_the_rest_counted(self, office: Running) -> None:
        gone, there = await signed_in(office), await signed_in(office)
        sql = "UPDATE sessions SET ended_at = now() - interval '2 days' WHERE account_id = :id RETURNING 1"
        await execute(office, sql, id=gone.account["id"])
        await office.gateway.own.state.sessions._count_and_sweep()
        count = "SELECT count(*) FROM sessions WHERE account_id = :id"
        assert await execute(office, count, id=gone.account["id"]) == 0
        assert await execute(office, count, id=there.account["id"]) == 1
        assert SESSIONS._value.get() >= 1


class TestMySessions:
    async def test_stranger(self, office: Running) -> None:
        for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/current"), ("DELETE", f"/{uuid4()}")):
            assert (await office.client.request(method, f"/sessions{path}")).status_code == 401

    async def test_a_key_has_none(self, office: Running) -> None:
        headers = office.with_key()
        assert (await office.client.get("/sessions", headers=headers)).json() == {"items": [], "next_cursor": None}
        assert (await office.client.delete("/sessions/current", headers=headers)).status_code == 404

    async def test_others_are_not_seen_and_not_ended(self, office: Running) -> None:
        mine, other = await signed_in(office), await signed_in(office)
        (session,) = (await office.client.get("/sessions", headers=other.headers())).json()["items"]
        answer = await office.client.delete(f"/sessions/{session['id']}", headers=mine.headers())
        assert (answer.status_code, slug(answer)) == (404, "session-unknown")
        assert (await other.me()).status_code == 200

    async def test_happy_list_and_end_one(self, office: Running) -> None:
        phone = await signed_in(office)
        desk = Person(office, phone.account)
        await desk.sign_in()
        listed = (await office.client.get("/sessions", headers=desk.headers())).json()["items"]
        assert [one["current"] for one in listed] == [False, True]
        answer = await office.client.delete(f"/sessions/{listed[0]['id']}", headers=desk.headers())
        assert answer.status_code == 204
        assert [(await one.me()).status_code for one in (phone, desk)] == [401, 200]
        again = await office.client.delete(f"/sessions/{listed[0]['id']}", headers=desk.headers())
        assert again.status_code == 404

    async def test_sign_out_here_and_everywhere(self, office: Running) -> None:
        one = await signed_in(office)
        two, three = Person(office, one.account), Person(office, one.account)
        await two.sign_in()
        await three.sign_in()
        answer = await office.client.delete("/sessions/current", headers=one.headers())
        assert answer.headers["set-cookie"].startswith(f"{SECURE_COOKIE}=;")
        assert answer.headers["set-cookie"].endswith("Max-Age=0")
        assert [(await some.me()).status_code for some in (one, two, three)] == [401, 200, 200]
        assert (await office.client.delete("/sessions", headers=two.headers())).status_code == 204
        assert [(await some.me()).status_code for some in (two, three)] == [401, 401]

    async def test_an_administrator_ends_all_of_an_account(self, office: Running) -> None:
        somebody = await signed_in(office)
        answer = await office.client.delete(f"{somebody.url}/sessions", headers=office.with_key())
        assert (answer.status_code, (await somebody.me()).status_code) == (204, 401)


class TestOtherProcesses:
    async def test_disabling_counts_there_at_once(self, office: Running, start_gateway: StartGateway) -> None:
        url = str(office.gateway.own.state.settings.database_url)
        there = await start_gateway(database_url=url)
        book = there.gateway.own.state.sessions
        book.remembered._seconds = 3600.0

        async def listens() -> bool:
            return book.remembered.listening

        await eventually(listens)
        somebody = await signed_in(office)
        seen = Person(there, somebody.account, cookie=somebody.cookie)
        assert (await seen.me()).status_code == 200
        assert (await somebody.change(disabled=True)).status_code == 200

        async def out() -> bool:
            return (await seen.me()).status_code == 401

        await eventually(out)


class TestSettings:
    def test_plain_http_only_on_this_machine(self, office: Running) -> None:
        given = office.gateway.own.state.settings.model_dump()
        assert GatewaySettings(**{**given, "session_plain_http": True}).session_plain_http
        with pytest.raises(ValueError, match="loopback"):
            GatewaySettings(**{**given, "session_plain_http": True, "host": "0.0.0.0"})  # noqa: S104

    async def test_the_cookie_has_another_name_then(self, start_gateway: StartGateway, office: Running) -> None:
        url = str(office.gateway.own.state.settings.database_url)
        plain = await start_gateway(database_url=url, session_plain_http=True)
        somebody = await person(office)
        answer = await plain.client.post("/sessions", json={"login": somebody.login, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("kkb-session=")
        assert "Secure" not in cookie
        me = await plain.client.get("/me", headers={"Cookie": cookie.partition(";")[0]})
        assert me.json()["credential"] == "session"


@pytest.mark.parametrize(
    ("site", "origin", "silent", "expected"),
    [
        ("same-origin", "https://jahat.test", False, True),
        ("same-site", "https://kkb.test", True, False),
        (None, "https://kkb.test", False, True),
        (None, "https://KKB.test", False, True),
        (None, "https://kkb.test:8443", False, False),
        (None, "https://kkb.test.jahat.test", True, False),
        (None, "", True, False),
        (None, None, False, False),
        (None, None, True, True),
    ],
)
def test_same_origin(site: str | None, origin: str | None, silent: bool, expected: bool) -> None:
    assert same_origin(site, origin, "kkb.test", silent=silent) is expected


def test_browsers_are_told_coarsely() -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0"
    assert browser_of(agent) == "Edge, Windows"
    assert browser_of("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko Firefox/120.0") == "Firefox, Linux"
    assert browser_of("curl/8") == browser_of(None) == "?"
