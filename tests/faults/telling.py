"""A service that tells on SIGUSR1 where each of its tasks is: `python -m tests.faults.telling NAME`.

It is the service itself otherwise. What waits for ever shows itself only so: a task that hangs raises nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from kit.process import run
from kit.settings import ServiceSettings


def where(task: asyncio.Task[Any]) -> Iterator[str]:
    """The lines at which a task's coroutines wait, the innermost last."""
    waiting: Any = task.get_coro()
    while waiting is not None:
        frame = next((f for name in ("cr_frame", "gi_frame", "ag_frame") if (f := getattr(waiting, name, None))), None)
        yield (
            repr(waiting)[:160]
            if frame is None
            else f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        )
        awaited = ("cr_await", "gi_yieldfrom", "ag_await")
        waiting = next((w for name in awaited if (w := getattr(waiting, name, None)) is not None), None)


def tell(_number: int, _frame: FrameType | None) -> None:
    """Write all tasks to the log."""
    for task in list(asyncio.tasks._all_tasks):
        if not task.done():
            lines = [f"TASK {task.get_name()} cancelling={task.cancelling()}", *where(task)]
            sys.stderr.write("\n    ".join(lines) + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    run(importlib.import_module(f"services.{sys.argv[1]}.service").SERVICE, ServiceSettings())
