"""`kkb` against the whole platform, run in a thread beside the loop that the platform runs in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from click.testing import CliRunner
from typer.main import get_command

from cli.main import app
from deploy.embedded.throwaway import ThrowawayServers
from tests.cli.platform import Platform, running_platform

COMMAND = get_command(app)
"""Made once: from its annotations typer makes it in a tenth of a second."""

Kkb = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
async def platform(servers: ThrowawayServers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """The platform of this run's clients."""
    async with running_platform(servers, tmp_path_factory.mktemp("cli-platform")) as running:
        yield running


def run(*arguments: str, **environment: str | None) -> Any:
    """One call of `kkb`; the environment holds no setting but these."""
    blank = dict.fromkeys(("KKB_URL", "KKB_KEY", "KKB_KEY_FILE", "KKB_DATA_DIR", "COLUMNS"))
    return CliRunner().invoke(COMMAND, arguments, env={**blank, **environment})


@pytest.fixture(scope="session")
def kkb(platform: Platform) -> Kkb:
    """`kkb` with the administrator's key."""

    async def called(*arguments: str, **environment: str | None) -> Any:
        settings = {"KKB_URL": platform.url, "KKB_KEY_FILE": str(platform.key_file), **environment}
        return await asyncio.to_thread(run, *arguments, **settings)

    return called
