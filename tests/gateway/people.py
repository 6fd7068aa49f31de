"""People with accounts, as an administrator and their browsers see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from gateway.sessions.rules import SECURE_COOKIE
from tests.gateway.conftest import Running

PASSWORD = "empat kuda biru di atap"
_numbers = count(1)


def draft(**changes: Any) -> dict[str, Any]:
    """An account that nobody has yet, in a regency of its own."""
    number = next(_numbers)
    grants = [{"role": "officer", "region": f"92.{number % 90 + 10}"}]
    return {"login": f"orang.{number}", "name": f"Orang {number}", "office": "Dinas Uji", "grants": grants, **changes}


@dataclass
class Person:
    """Somebody with an account and, once signed in, a session."""

    gateway: Running
    account: dict[str, Any]
    password: str = PASSWORD
    cookie: str = field(default="", repr=False)

    @property
    def login(self) -> str:
        return str(self.account["login"])

    @property
    def url(self) -> str:
        return f"/accounts/{self.account['id']}"

    def headers(self, **more: str) -> dict[str, str]:
        """What his browser sends from our own page."""
        fetch = {"Sec-Fetch-Site": "same-origin"}
        return {
            "Cookie": f"{SECURE_COOKIE}={self.cookie}",
            **fetch,
            **{k.replace("_", "-"): v for k, v in more.items()},
        }

    async def sign_in(self, **changes: Any) -> httpx.Response:
        body = {"login": self.login, "password": self.password, **changes}
        answer = await self.gateway.client.post("/sessions", json=body)
        if answer.status_code == 200:
            self.cookie = cookie_of(answer)
        return answer

    async def me(self) -> httpx.Response:
        return await self.gateway.client.get("/me", headers=self.headers())

    async def change(self, **changes: Any) -> httpx.Response:
        """Change his account, as the administrator."""
        seen = await self.gateway.client.get(self.url, headers=self.gateway.with_key())
        headers = {**self.gateway.with_key(), "If-Match": seen.headers["etag"]}
        return await self.gateway.client.patch(self.url, json=changes, headers=headers)


def cookie_of(answer: httpx.Response) -> str:
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == SECURE_COOKIE
    return str(rest.partition(";")[0])


async def invited(gateway: Running, **changes: Any) -> dict[str, Any]:
    answer = await gateway.client.post("/accounts", json=draft(**changes), headers=gateway.with_key())
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def person(gateway: Running, **changes: Any) -> Person:
    """Somebody who has set his password."""
    account = await invited(gateway, **changes)
    body = {"login": account["login"], "code": account["code"], "password": PASSWORD}
    answer = await gateway.client.post("/passwords", json=body)
    assert answer.status_code == 204, answer.text
    return Person(gateway, account)


async def signed_in(gateway: Running, **changes: Any) -> Person:
    somebody = await person(gateway, **changes)
    assert (await somebody.sign_in()).status_code == 200
    return somebody
