"""Ending background tasks."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from kit.tasks import first_to_end


async def test_several_that_fail_at_once_are_one_failure_and_no_complaint() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    async def fail() -> None:
        raise ValueError("gone")

    try:
        with pytest.raises(ValueError, match="gone"):
            await first_to_end(fail(), fail())
        gc.collect()
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert complaints == []
