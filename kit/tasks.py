"""Ending background tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_AGAIN_SECONDS = 0.5


async def stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended, even when cancelled meanwhile: nobody is left behind.

    Cancelled again and again: nats-py's fetch turns a cancellation into its own TimeoutError, which a loop that tries
    again would take for an empty stream.
    """
    pending = {task for task in tasks if not task.done()}
    cancelled = False
    while pending:
        for task in pending:
            task.cancel()
        try:
            done, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
            done, pending = set(), {task for task in pending if not task.done()}
        await asyncio.gather(*done, return_exceptions=True)
    if cancelled:
        raise asyncio.CancelledError


async def first_to_end(*jobs: Coroutine[Any, Any, None]) -> None:
    """Run jobs side by side until one of them ends; the others are stopped, and what ended it is raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stop(tasks)
    # all are looked at: several can end at once, and asyncio complains of a failure that nobody has seen
    for outcome in await asyncio.gather(*done, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
