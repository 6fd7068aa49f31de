"""The interventions service of this run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.interventions.service import SERVICE
from tests.conftest import Start


@pytest.fixture(scope="session")
async def interventions(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The interventions service; its villages come by events only."""
    async with start(SERVICE) as client:
        yield client
