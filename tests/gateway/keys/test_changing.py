"""Changing until when and from where a key is good: stranger, wrong role, wrong region, invalid, conflict, happy, replay."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.gateway.conftest import Running
from tests.gateway.keys.test_addresses import OFFICE, status
from tests.gateway.keys.test_rotation import ahead, step


async def change(
    running: Running, key: dict[str, Any], version: int | None = 1, by: str | None = None, **body: Any
) -> httpx.Response:
    headers = running.with_key(by) | ({} if version is None else {"If-Match": f'"{version}"'})
    return await running.client.patch(f"/keys/{key['id']}", json=body, headers=headers)


async def test_stranger(gateway: Running) -> None:
    answer = await gateway.client.patch(f"/keys/{uuid4()}", json={}, headers={"If-Match": '"1"'})
    assert answer.status_code == 401


async def test_wrong_role(gateway: Running) -> None:
    reader = await gateway.issue("reader")
    assert (await change(gateway, reader, by=reader["key"], expires_at=None)).status_code == 403


async def test_wrong_region_looks_like_absent(gateway: Running) -> None:
    regional = await gateway.issue("administrator", region="33.26")
    key = await gateway.issue("reader", region="33.27")
    assert (await change(gateway, key, by=regional["key"], expires_at=None)).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "#/expires_at"),
        ({"allowed_addresses": []}, "#/allowed_addresses"),
        ({"allowed_addresses": ["0.0.0.0/0"]}, "#/allowed_addresses/0"),
        ({"roles": ["administrator"]}, "#/roles"),
        ({"region": None}, "#/region"),
    ],
)
async def test_invalid(gateway: Running, body: dict[str, Any], pointer: str) -> None:
    key = await gateway.issue("reader")
    answer = await change(gateway, key, **body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_invalid_to_lock_oneself_out(gateway: Running) -> None:
    own = await gateway.issue("administrator", region="33")
    answer = await change(gateway, own, by=own["key"], allowed_addresses=[OFFICE])
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/allowed_addresses")
    assert (await change(gateway, own, by=own["key"], allowed_addresses=["127.0.0.1"])).status_code == 200


async def test_conflict_of_a_revoked_one(gateway: Running) -> None:
    key = await gateway.issue("reader")
    await gateway.client.delete(f"/keys/{key['id']}", headers=gateway.with_key())
    assert (await change(gateway, key, 2, expires_at=None)).status_code == 409


async def test_conflict_what_was_read_has_changed(gateway: Running) -> None:
    key = await gateway.issue("reader")
    assert (await change(gateway, key, None, expires_at=ahead(days=9))).status_code == 428
    assert (await step(gateway, key)).headers["etag"] == '"2"'
    assert (await change(gateway, key, 1, expires_at=ahead(days=9))).status_code == 412
    answers = await asyncio.gather(*(change(gateway, key, 2, expires_at=ahead(days=days)) for days in range(3, 8)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_happy_and_replay(gateway: Running) -> None:
    key = await gateway.issue("reader", expires_at=ahead(days=1), allowed_addresses=[OFFICE])
    assert await status(gateway, key["key"]) == 403
    changed = await change(gateway, key, allowed_addresses=["127.0.0.0/8"])
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["allowed_addresses"], changed.json()["expires_at"]) == (["127.0.0.0/8"], key["expires_at"])
    assert await status(gateway, key["key"]) == 200
    later = ahead(days=400)
    assert (await change(gateway, key, 2, expires_at=later)).json()["version"] == 3
    assert (await change(gateway, key, 3, expires_at=later)).json()["version"] == 3
    opened = (await change(gateway, key, 3, expires_at=None, allowed_addresses=None)).json()
    assert (opened["expires_at"], opened["allowed_addresses"], opened["version"]) == (None, None, 4)
    read = await gateway.client.get(f"/keys/{key['id']}", headers=gateway.with_key())
    assert read.headers["etag"] == '"4"'
    assert read.json() | {"last_used_at": None} == opened | {"last_used_at": None}
