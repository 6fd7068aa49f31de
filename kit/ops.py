"""The operators' port: /livez, /readyz and /metrics, apart from the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit.metrics import READY

CHECK_SECONDS = 2.0
"""Longest wait for a check."""

Check = Callable[[], Coroutine[Any, Any, str | None]]
"""Says what is missing (or, where it is merely noted, how it is); None when all is well."""

_left_behind: set[asyncio.Task[str | None]] = set()


@dataclass
class Health:
    """What a process knows of its own health."""

    alive: Check
    ready: Mapping[str, Check]
    """What requests cannot be answered without."""
    noted: Mapping[str, Check] = field(default_factory=dict)
    """What is shown but does not make the process unready (NATS: writes go on, events follow)."""
    draining: bool = False
    on_drain: Callable[[], None] = lambda: None
    """Tells those who wait for something that they wait no longer."""
    metrics: Collector = REGISTRY
    """What /metrics shows."""

    def drain(self) -> None:
        """The process ends: not ready any more, and nobody waits."""
        self.draining = True
        self.on_drain()

    async def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return self._ready(await _ask_all(self.ready))

    async def readiness(self) -> dict[str, Any]:
        """The answer of /readyz."""
        needs, noted = await asyncio.gather(_ask_all(self.ready), _ask_all(self.noted))
        return {"ready": self._ready(needs), "draining": self.draining, "needs": needs, "noted": noted}

    def _ready(self, needs: Mapping[str, str]) -> bool:
        return not self.draining and all(answer == "ok" for answer in needs.values())


async def _ask(check: Check) -> str | None:
    """A check's answer. One that is still busy after two seconds is left behind and not waited for.

    Its cancellation can take longer than the check itself: it may have to end a statement on a server that is silent.
    """
    task = asyncio.create_task(check())
    _left_behind.add(task)
    task.add_done_callback(_forget)
    await asyncio.wait({task}, timeout=CHECK_SECONDS)
    if not task.done():
        task.cancel()
        return f"no answer within {CHECK_SECONDS:g} s"
    if task.cancelled():
        return "interrupted"
    error = task.exception()
    return task.result() if error is None else f"{type(error).__name__}: {error}".rstrip(": ")


def _forget(task: asyncio.Task[str | None]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would complain


async def _ask_all(checks: Mapping[str, Check]) -> dict[str, str]:
    checks = dict(checks)  # others may come while these are asked
    answers = await asyncio.gather(*(_ask(check) for check in checks.values()))
    return {name: answer or "ok" for name, answer in zip(checks, answers, strict=True)}


def ops_app(health: Health) -> Starlette:
    """The application of the operators' port."""

    async def livez(_request: Request) -> Response:
        problem = await _ask(health.alive)
        return JSONResponse({"alive": problem is None, "reason": problem}, 200 if problem is None else 503)

    async def readyz(_request: Request) -> Response:
        body = await health.readiness()
        return JSONResponse(body, 200 if body["ready"] else 503)

    async def metrics(_request: Request) -> Response:
        READY.set(await health.is_ready())
        return Response(generate_latest(health.metrics), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])
