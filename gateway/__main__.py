"""Start the gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio

import uvicorn

from gateway.app import compose
from gateway.contract import committed
from gateway.settings import GatewaySettings
from kit import logs
from kit.process import serve


def main() -> None:
    """Run the gateway until it is told to stop."""
    settings = GatewaySettings()
    logs.configure("gateway", settings.log_level)

    async def run() -> None:
        gateway = compose(settings, committed())
        await serve(gateway.door, gateway.health, settings)

    with asyncio.Runner(loop_factory=uvicorn.Config(app="").get_loop_factory()) as runner:
        runner.run(run())


if __name__ == "__main__":
    main()
