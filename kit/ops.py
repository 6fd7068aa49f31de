"""The operators' port: /livez, /readyz and /metrics, apart from the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[str | None]]
"""Says what is missing, or None when all is well."""


@dataclass
class Health:
    """What a process knows of its own health."""

    alive: Check
    ready: Mapping[str, Check]
    """What requests cannot be answered without."""
    noted: Mapping[str, Check] = field(default_factory=dict)
    """What is shown but does not make the process unready (NATS: writes go on, events follow)."""
    draining: bool = False


async def _ask(check: Check) -> str | None:
    try:
        return await asyncio.wait_for(check(), _CHECK_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
        return f"{type(error).__name__}: {error}".rstrip(": ")


async def _ask_all(checks: Mapping[str, Check]) -> dict[str, str]:
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return {name: answer or "ok" for name, answer in zip(checks, answers, strict=True)}


def ops_app(health: Health) -> Starlette:
    """The application of the operators' port."""

    async def livez(_request: Request) -> Response:
        problem = await _ask(health.alive)
        return JSONResponse({"alive": problem is None, "reason": problem}, 200 if problem is None else 503)

    async def readyz(_request: Request) -> Response:
        needed = await _ask_all(health.ready)
        noted = await _ask_all(health.noted)
        ready = not health.draining and all(answer == "ok" for answer in needed.values())
        body = {"ready": ready, "draining": health.draining, "needs": needed, "noted": noted}
        return JSONResponse(body, 200 if ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])
