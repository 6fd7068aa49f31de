"""Keeping background tasks running, and ending them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from kit import tasks
from kit.tasks import first_to_end, keep_running, stop, unless


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


class TestUnless:
    async def test_what_the_job_gives_or_raises(self) -> None:
        async def give() -> int:
            return 7

        async def fail() -> None:
            raise ValueError("gone")

        assert await unless(asyncio.Event(), give()) == 7
        with pytest.raises(ValueError, match="gone"):
            await unless(asyncio.Event(), fail())

    async def test_none_and_the_job_is_stopped_when_the_event_comes_first(self) -> None:
        event, stopped = asyncio.Event(), asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        asyncio.get_running_loop().call_later(0.01, event.set)
        assert await unless(event, endless()) is None
        assert stopped.is_set()

    async def test_nothing_is_left_behind_when_cancelled(self) -> None:
        stopped = asyncio.Event()

        async def endless() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        task = asyncio.create_task(unless(asyncio.Event(), endless()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stopped.is_set()


class TestKeepRunning:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tasks, "_PAUSE_SECONDS", 0)

    @pytest.mark.parametrize("unforeseen", [RuntimeError("a library's own"), asyncio.CancelledError()], ids=repr)
    async def test_what_was_not_foreseen_does_not_end_the_job(self, unforeseen: BaseException) -> None:
        begun = 0

        async def job() -> None:
            nonlocal begun
            begun += 1
            if begun == 1:
                raise unforeseen

        await keep_running("job", job)
        assert begun == 2

    async def test_a_job_that_always_fails_ends_so_that_the_process_is_not_alive(self) -> None:
        begun = 0

        async def job() -> None:
            nonlocal begun
            begun += 1
            raise RuntimeError("always")

        with pytest.raises(RuntimeError, match="always"):
            await keep_running("job", job)
        assert begun == 10

    async def test_stopped_means_stopped(self) -> None:
        begun = 0

        async def job() -> None:
            nonlocal begun
            begun += 1
            await asyncio.Event().wait()

        task = asyncio.create_task(keep_running("job", job))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await stop([task])
        assert task.cancelled()
        assert begun == 1
