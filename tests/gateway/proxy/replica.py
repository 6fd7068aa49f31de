"""A service that is a process of its own, served and drained as all are."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kit.observe import Observed
from kit.ops import Health
from kit.process import run_main, serve
from kit.settings import ProcessSettings


async def _well() -> None:
    return None


async def _thing(request: Request) -> JSONResponse:
    """Takes a moment, as a transaction does, so that the end of the process falls into some of them."""
    await request.body()
    await asyncio.sleep(0.01)
    return JSONResponse({"port": request.url.port})


def main(port: int, ops_port: int) -> None:
    """Serve until SIGTERM."""
    settings = ProcessSettings(
        port=port,
        ops_port=ops_port,
        database_url="postgresql+asyncpg://nobody@127.0.0.1/nothing",
        identity_public_key_file=Path("unused"),
        drain_notice_seconds=2.0,
    )
    app = Starlette(routes=[Route("/thing", _thing, methods=["GET", "POST"])])
    health = Health(alive=_well, ready={})
    run_main(lambda: serve(Observed(app, health), health, settings))
