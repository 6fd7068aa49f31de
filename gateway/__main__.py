"""Start the gateway: `python -m gateway`."""

from __future__ import annotations

from gateway.app import compose
from gateway.contract import committed
from gateway.settings import GatewaySettings
from kit import failpoints, logs
from kit.process import run_main, serve


def main() -> None:
    """Run the gateway until it is told to stop."""
    settings = GatewaySettings()
    logs.configure("gateway", settings.log_level)
    failpoints.watch(settings.failpoints_file)

    async def run() -> None:
        gateway = compose(settings, committed())
        await serve(gateway.door, gateway.health, settings, gateway.protocol)

    run_main(run)


if __name__ == "__main__":
    main()
