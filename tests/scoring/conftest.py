"""The scoring service of this run."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.scoring.service import SERVICE
from tests.conftest import Start


@pytest.fixture(scope="session")
async def scoring(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The scoring service; all it knows comes by events."""
    async with start(SERVICE) as client:
        yield client
