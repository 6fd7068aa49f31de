"""What the tests of determinations ask and expect."""

from __future__ import annotations

from typing import Any

import httpx

from tests.callers import caller

PERIOD = "2025-09"
DECREE = {"number": "400.13/7/2025", "date": "2025-10-20"}
BARE: dict[str, Any] = {"population": {}}


def asked(region: str, **fields: Any) -> dict[str, Any]:
    """Body of a preview."""
    return {"region_code": region, "period": PERIOD, "ruleset": "web-2021"} | fields


def draft(region: str, **fields: Any) -> dict[str, Any]:
    """Body of a determination."""
    return asked(region, decree=DECREE) | fields


async def send(
    scoring: httpx.AsyncClient, body: Any, headers: dict[str, str] | None = None, path: str = ""
) -> httpx.Response:
    who = caller("assessor") if headers is None else headers
    return await scoring.post(f"/determinations{path}", json=body, headers=who)


async def issued(scoring: httpx.AsyncClient, region: str, **fields: Any) -> dict[str, Any]:
    """A determination that was issued."""
    answer = await send(scoring, draft(region, **fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def got(scoring: httpx.AsyncClient, path: str, who: dict[str, str] | None = None, **params: Any) -> Any:
    """The answer to a GET under /determinations."""
    answer = await scoring.get(f"/determinations{path}", params=params, headers=who or caller("reader"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def whole_list(scoring: httpx.AsyncClient, number: str, limit: int = 2) -> list[dict[str, Any]]:
    """All pages of a determination's list."""
    items: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = await got(scoring, f"/{number}/villages", **params)
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        params["cursor"] = page["next_cursor"]


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and last part of the type of a problem."""
    return answer.status_code, answer.json()["type"].removeprefix("urn:kampungkb:problem:")
