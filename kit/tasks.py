"""Keeping background tasks running, and ending them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

_AGAIN_SECONDS = 0.5
_ATTEMPTS = 10
_STEADY_SECONDS = 60.0
_PAUSE_SECONDS = 1.0


async def keep_running(name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a background job to its end; whatever it did not foresee is logged, and it is begun anew.

    So are cancellations that nobody asked us for: libraries cancel what they wait for when they lose a connection.

    Raises:
        Exception: it failed time after time and never ran for a minute; the process had better be started again.
    """
    loop, task, failures = asyncio.get_running_loop(), asyncio.current_task(), 0
    assert task is not None
    while True:
        began = loop.time()
        try:
            return await job()
        except (Exception, asyncio.CancelledError) as error:
            if task.cancelling():
                raise
            failures = 1 if loop.time() - began > _STEADY_SECONDS else failures + 1
            log.error("%s broke off and is begun anew", name, exc_info=error)  # noqa: TRY400 - a stray cancellation too
            if failures >= _ATTEMPTS:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended, even when cancelled meanwhile: nobody is left behind.

    Cancelled again and again: libraries turn a cancellation into an error of their own now and then, which a loop that
    tries again would take for an absent server.
    """
    every = list(tasks)
    pending = {task for task in every if not task.done()}
    cancelled = False
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
            pending = {task for task in pending if not task.done()}
    for task in every:
        if not task.cancelled():
            task.exception()  # looked at, or asyncio would complain
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


async def unless(event: asyncio.Event, job: Coroutine[Any, Any, T]) -> T | None:
    """What a job gives; None when the event was set first: then the job is stopped."""
    working, waiting = asyncio.create_task(job), asyncio.create_task(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stop((waiting, *(() if working.done() else (working,))))
    return None if working.cancelled() else working.result()
